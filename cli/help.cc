// SPDX-License-Identifier: Apache-2.0
#include "cli/help.h"

#include <fmt/core.h>

namespace codexos::cli {
namespace {

struct GroupRow {
  Group group;
  std::string_view title;
};
constexpr GroupRow kGroups[] = {{Group::tasks, "Tasks"},
                                {Group::control, "Control"},
                                {Group::changes, "Changes"},
                                {Group::system, "System"}};

std::string option_line(const Option& o) {
  std::string left(o.names);
  if (!o.value.empty()) left += " " + std::string(o.value);
  return fmt::format("  {:<30} {}\n", left, o.help);
}

/// On one line where it fits.
std::string example_lines(const Example& e) {
  constexpr size_t kColumns = 80;
  const std::string beside = fmt::format("  {:<30} {}\n", e.line, e.does);
  if (e.line.size() <= 30 && beside.size() <= kColumns + 1) return beside;
  return fmt::format("  {}\n      {}\n", e.line, e.does);
}

}  // namespace

std::string help_overview() {
  std::string out =
      "Run programs and agents isolated, recorded, stoppable and undoable.\n\n"
      "  codexos run -- make test      run a program; its changes are held back\n"
      "  codexos diff                  what the last task changed\n";
  for (const auto& g : kGroups) {
    out += fmt::format("\n{}\n", g.title);
    for (const auto& c : commands())
      if (c.group == g.group && c.landed == Landed::now)
        out += fmt::format("  {:<15} {}\n", c.name, c.summary);
  }
  return out +
         "\ncodexos COMMAND --help shows a command's options; man codexos shows everything.\n";
}

/// Their names, on lines of their own.
std::string rare_options(const Command& c) {
  constexpr size_t kColumns = 80;
  std::string out, line = "Also";
  for (const auto& o : c.options) {
    if (o.landed != Landed::now || !o.rare) continue;
    const std::string name = " --" + std::string(key_of(o));
    if (line.size() + name.size() > kColumns) {
      out += line + "\n";
      line = "    ";
    }
    line += name;
  }
  return line == "Also" ? out : out + line + " (man codexos)\n";
}

std::string help_command(const Command& c) {
  std::string out = fmt::format("Usage: codexos {}{}{}\n\n{}.\n", c.name, c.args.empty() ? "" : " ",
                                c.args, c.summary);
  std::string options;
  for (const auto& o : c.options)
    if (o.landed == Landed::now && !o.rare) options += option_line(o);
  out += options.empty() ? "\n" : "\nOptions\n" + options;
  out += rare_options(c);
  out += "Global options: --json --socket PATH -q -v --color WHEN -h\n\nExamples\n";
  for (const auto& e : c.examples)
    if (!e.line.empty()) out += example_lines(e);
  return out;
}

std::string help_noun(std::string_view noun) {
  std::string out = fmt::format("Usage: codexos {} VERB\n\n", noun);
  const Command* with_example = nullptr;
  for (const auto* c : verbs_of(noun)) {
    if (c->landed != Landed::now) continue;
    if (with_example == nullptr) with_example = c;
    out += fmt::format("  {:<10} {}\n", c->name.substr(noun.size() + 1), c->summary);
  }
  if (with_example == nullptr) return out + "Not available in this version.\n";
  out += "\nExamples\n";
  for (const auto& e : with_example->examples) out += example_lines(e);
  return out;
}

}  // namespace codexos::cli
