// SPDX-License-Identifier: Apache-2.0
// The only home of CLI11. It splits options from words; what its messages and exit codes (109, 114)
// lack is added here: our codes, nearest names, values that are known but have not landed.
#include "cli/args.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <deque>

#include "cli/suggest.h"
#include "cli/tasks.h"
#include "cli/values.h"

namespace codexos::cli {
namespace {

using Args = std::vector<std::string>;

constexpr std::string_view kLater = "not available in this version";

Error usage_error(std::string message, std::string hint = "") {
  return Error{Code::invalid, std::move(message), std::move(hint)};
}
Error later_error(std::string_view what) {
  return Error{Code::unsupported, fmt::format("{} is {}", what, kLater), {}};
}
std::string help_hint(const Command& c) { return fmt::format("codexos {} --help", c.name); }

const Option* find_option(std::span<const Option> rows, std::string_view name) {
  for (const Option& o : rows)
    for (const std::string_view n : names_of(o))
      if (n == name) return &o;
  return nullptr;
}

std::vector<std::string_view> long_names(const Command* c) {
  std::vector<std::string_view> out;
  const auto add = [&out](std::span<const Option> rows) {
    for (const Option& o : rows)
      for (const std::string_view n : names_of(o))
        if (n.starts_with("--")) out.push_back(n);
  };
  if (c != nullptr) add(c->options);
  add(global_options());
  return out;
}

Error unknown_option(const Command* c, std::string_view word) {
  const std::string_view name = word.substr(0, word.find('='));
  std::string hint = c != nullptr ? help_hint(*c) : "codexos --help";
  if (const auto near = suggest(name, long_names(c)); !near.empty())
    hint = fmt::format("did you mean {}?", near);
  return usage_error(fmt::format("unknown option {}", name), std::move(hint));
}

/// The first words of all names, without the hidden ones.
std::vector<std::string_view> verbs() {
  std::vector<std::string_view> out;
  for (const Command& c : commands())
    if (c.group != Group::hidden) out.push_back(c.name.substr(0, c.name.find(' ')));
  return out;
}

/// argv cut at its verb: [global options] VERB [VERB2] rest.
struct Cut {
  Args globals;
  const Command* command = nullptr;
  Args rest;
};

Status check_global(const std::string& word, const Option*& option) {
  const std::string name = word.substr(0, word.find('='));
  // Bundled or joined short ones (-qv) are left to CLI11 when their first letter is known.
  option = find_option(global_options(), name);
  const bool bundle = !word.starts_with("--") && word.size() > 2;
  if (option == nullptr && bundle) option = find_option(global_options(), word.substr(0, 2));
  if (option == nullptr) return unknown_option(nullptr, word);
  return {};
}

Error unknown_verb(const std::string& verb, const Args& args, size_t at) {
  std::string hint = "codexos --help";
  if (const auto near = suggest(verb, verbs()); !near.empty()) {
    hint = fmt::format("did you mean codexos {}?", near);
  } else if (at + 1 < args.size()) {
    hint = "to run a program: codexos run -- CMD; all commands: codexos --help";
  }
  return usage_error(fmt::format("unknown command {}", verb), std::move(hint));
}

Status choose_noun_verb(const Args& args, size_t& at, Cut& cut) {
  const std::string& noun = args[at];
  if (at + 1 >= args.size() || args[at + 1].starts_with("-")) return {};
  const std::string full = noun + " " + args[at + 1];
  cut.command = find_command(full);
  if (cut.command != nullptr) {
    ++at;
    return {};
  }
  std::vector<std::string_view> known;
  for (const Command* c : verbs_of(noun)) known.push_back(c->name.substr(noun.size() + 1));
  std::string hint = fmt::format("codexos {} --help", noun);
  if (const auto near = suggest(args[at + 1], known); !near.empty())
    hint = fmt::format("did you mean codexos {} {}?", noun, near);
  return usage_error(fmt::format("unknown command {}", full), std::move(hint));
}

bool asks_help(const Args& args, size_t from) {
  return std::any_of(args.begin() + static_cast<ptrdiff_t>(from), args.end(),
                     [](const std::string& a) { return a == "-h" || a == "--help"; });
}

/// Fills cut, or `out.wants` when argv asks for help; `done` is true then.
Status cut_at_verb(const Args& args, Cut& cut, Parsed& out, bool& done) {
  size_t at = 0;
  for (; at < args.size() && args[at].starts_with("-") && args[at].size() > 1; ++at) {
    if (args[at] == "--version") {
      cut.command = find_command("version");
      cut.rest.assign(args.begin() + static_cast<ptrdiff_t>(at) + 1, args.end());
      return {};
    }
    const Option* option = nullptr;
    CODEXOS_TRY(check_global(args[at], option));
    if (key_of(*option) == "help") {
      out.wants = WantsHelp{};
      done = true;
      return {};
    }
    cut.globals.push_back(args[at]);
    const bool joined = args[at].find('=') != std::string::npos;
    if (!option->value.empty() && !joined && at + 1 < args.size())
      cut.globals.push_back(args[++at]);
  }
  if (at >= args.size()) return usage_error("no command is given", "codexos --help");
  const std::string& verb = args[at];
  cut.command = find_command(verb);
  if (cut.command == nullptr && !verbs_of(verb).empty()) {
    CODEXOS_TRY(choose_noun_verb(args, at, cut));
    if (cut.command == nullptr) {
      if (!asks_help(args, at))
        return usage_error(fmt::format("{}: no command is given", verb),
                           fmt::format("codexos {} --help", verb));
      out.wants = WantsHelp{nullptr, verb};
      done = true;
      return {};
    }
  }
  if (cut.command == nullptr) return unknown_verb(verb, args, at);
  cut.rest.assign(args.begin() + static_cast<ptrdiff_t>(at) + 1, args.end());
  return {};
}

/// One CLI11 app over the rows of one command.
class Splitter {
 public:
  explicit Splitter(const Command& c) : command_(c) {
    app_.set_help_flag();
    app_.allow_extras();
    app_.prefix_command(c.words == Words::payload);
    add(global_options());
    add(c.options);
  }

  /// Options into inv.options, all else into `words`, in order.
  Status split(Args args, Invocation& inv, Args& words) {
    try {
      std::reverse(args.begin(), args.end());
      app_.parse(args);
    } catch (const CLI::ParseError& e) {
      return usage_error(explain(e), help_hint(command_));
    }
    words = app_.remaining();
    for (auto& [row, option] : options_)
      if (option->count() > 0) inv.options[std::string(key_of(*row))] = option->results();
    return {};
  }

 private:
  void add(std::span<const Option> rows) {
    for (const Option& row : rows) {
      std::string names;
      for (const std::string_view n : names_of(row)) names += fmt::format("{},", n);
      names.pop_back();
      options_.emplace_back(&row, row.value.empty() ? add_flag(names) : add_value(names));
    }
  }
  CLI::Option* add_flag(const std::string& names) {
    auto* o = app_.add_flag_callback(names, [] {});
    return o->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)->disable_flag_override();
  }
  CLI::Option* add_value(const std::string& names) {
    auto* o = app_.add_option(names, [](const CLI::results_t&) { return true; });
    return o->type_size(1)->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  }
  /// CLI11 says "--name: 1 required TEXT missing"; the rest of its messages cannot come up here.
  static std::string explain(const CLI::ParseError& e) {
    std::string text = e.what();
    if (const size_t colon = text.find(':'); text.find("required") != std::string::npos)
      return fmt::format("option {} needs a value", text.substr(0, colon));
    return text;
  }

  const Command& command_;
  CLI::App app_;
  std::deque<std::pair<const Option*, CLI::Option*>> options_;
};

Status check_choices(const Option& row, const std::vector<std::string>& values) {
  if (row.choices.empty()) return {};
  const auto known = split_choices(row.choices);
  const auto future = split_choices(row.later_choices);
  const std::string_view name = names_of(row).back();
  for (const std::string& v : values) {
    if (std::find(known.begin(), known.end(), v) != known.end()) continue;
    const bool is_later =
        row.later_choices == "*" || std::find(future.begin(), future.end(), v) != future.end();
    if (is_later) return later_error(fmt::format("{} {}", name, v));
    std::string all;
    for (const std::string_view k : known) all += fmt::format("{}{}", all.empty() ? "" : ", ", k);
    std::string hint;
    if (const auto near = suggest(v, known); !near.empty())
      hint = fmt::format("did you mean {} {}?", name, near);
    return usage_error(fmt::format("{} {}: must be one of {}", name, v, all), std::move(hint));
  }
  return {};
}

Status check_task_names(const Command& c, const Args& words) {
  // Where paths may be named, a word can be one.
  if (c.word_kind != Kind::task || c.words == Words::paths) return {};
  for (size_t i = 0; i < words.size() && (i == 0 || c.words == Words::any); ++i)
    if (!can_name_a_task(words[i]))
      return usage_error(fmt::format("{} cannot be a task's id or name", quote_word(words[i])),
                         "codexos ps -a");
  return {};
}

Status check_options(const Command& c, const Invocation& inv) {
  for (const auto rows : {c.options, global_options()}) {
    for (const Option& row : rows) {
      if (!inv.has(key_of(row))) continue;
      if (row.landed == Landed::later) return later_error(names_of(row).back());
      CODEXOS_TRY(check_choices(row, inv.values(key_of(row))));
    }
  }
  return {};
}

/// Unknown options are among the words, since CLI11 is told to let everything through.
Status check_words(const Command& c, const Args& words, const Args& literal) {
  for (const std::string& w : words) {
    if (w.size() > 1 && w.starts_with("-")) return unknown_option(&c, w);
    if (c.words == Words::payload) break;
  }
  if (c.words == Words::payload) return {};
  const size_t n = words.size() + (c.words == Words::paths ? 0 : literal.size());
  if (n > c.max_words) {
    const std::string& extra =
        c.max_words < words.size() ? words[c.max_words] : literal[c.max_words - words.size()];
    return usage_error(fmt::format("unexpected argument {}", extra), help_hint(c));
  }
  if (n < c.min_words)
    return usage_error(fmt::format("{} is missing", c.word_kind == Kind::task ? "TASK" : c.args),
                       help_hint(c));
  return {};
}

void read_globals(const Invocation& inv, Globals& g) {
  g.json = inv.has("json");
  g.quiet = inv.has("quiet");
  g.verbose = inv.has("verbose");
  g.socket = inv.value("socket");
  const std::string color = inv.value("color", "auto");
  if (color == "always") g.color = Color::always;
  if (color == "never") g.color = Color::never;
}

Status parse_command(const Cut& cut, const Args& head, Invocation& inv, Parsed& out) {
  const Command& c = *cut.command;
  inv.command = &c;
  const auto dashes = std::find(cut.rest.begin(), cut.rest.end(), "--");
  Args args = cut.globals;
  args.insert(args.end(), cut.rest.begin(), dashes);
  const size_t all = args.size();
  inv.dashes = dashes != cut.rest.end();
  Args literal;
  if (inv.dashes) literal.assign(dashes + 1, cut.rest.end());
  Args words;
  // Without an option there is nothing to split; building the parser costs 0.3 ms.
  if (std::any_of(args.begin(), args.end(), [](const auto& a) { return a.starts_with("-"); }))
    CODEXOS_TRY(Splitter(c).split(std::move(args), inv, words));
  else
    words = std::move(args);
  read_globals(inv, out.globals);
  if (inv.has("help")) return {};
  CODEXOS_TRY(check_words(c, words, literal));
  CODEXOS_TRY(check_options(c, inv));
  CODEXOS_TRY(check_task_names(c, words));
  inv.before = head;
  if (c.words == Words::payload) {
    const auto end =
        cut.rest.begin() + static_cast<ptrdiff_t>(all - cut.globals.size() - words.size());
    inv.before.insert(inv.before.end(), cut.rest.begin(), end);
    inv.payload = std::move(literal);
  } else if (c.words == Words::paths) {
    inv.payload = std::move(literal);
  } else {
    CODEXOS_TRY(check_task_names(c, literal));
    words.insert(words.end(), literal.begin(), literal.end());
  }
  inv.words = std::move(words);
  return {};
}

}  // namespace

std::string Invocation::value(std::string_view key, std::string_view otherwise) const {
  const auto it = options.find(key);
  if (it == options.end() || it->second.empty()) return std::string(otherwise);
  return it->second.back();
}

std::vector<std::string> Invocation::values(std::string_view key) const {
  const auto it = options.find(key);
  return it == options.end() ? std::vector<std::string>{} : it->second;
}

Status parse_args(const std::vector<std::string>& args, Parsed& out) {
  // An error before the command is known still has to know whether --json was given.
  for (const std::string& a : args) {
    if (!a.starts_with("-") || a == "--") break;
    out.globals.json = out.globals.json || a == "--json";
  }
  Cut cut;
  bool done = false;
  CODEXOS_TRY(cut_at_verb(args, cut, out, done));
  if (done) return {};
  const Command& c = *cut.command;
  out.fails = c.fails;
  if (c.landed == Landed::later) return later_error(fmt::format("codexos {}", c.name));
  Args head{"codexos"};
  head.insert(head.end(), cut.globals.begin(), cut.globals.end());
  head.emplace_back(c.name);
  Invocation inv;
  if (auto r = parse_command(cut, head, inv, out); !r.ok())
    return std::move(r).error().during(c.name);
  if (inv.has("help")) {
    out.wants = WantsHelp{&c, {}};
  } else {
    out.wants = std::move(inv);
  }
  return {};
}

}  // namespace codexos::cli
