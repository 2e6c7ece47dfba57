// SPDX-License-Identifier: Apache-2.0
#include "cli/agent_text.h"

#include <fmt/core.h>

#include <array>

#include "cli/escape.h"
#include "cli/render.h"
#include "core/base/text.h"
#include "core/json/json.h"

namespace codexos::cli {
namespace {

constexpr size_t kMaxShown = 200;
constexpr std::string_view kDim = "\x1b[2m", kRed = "\x1b[31m", kEnd = "\x1b[0m";

/// Every line by itself, so that line ends stay and nothing else does.
std::string safe_lines(std::string_view text) {
  std::string out;
  while (true) {
    const size_t lf = text.find('\n');
    out += printable(text.substr(0, lf));
    if (lf == std::string_view::npos) return out;
    out += '\n';
    text.remove_prefix(lf + 1);
  }
}

std::string first_line(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \n\r\t");
  if (begin == std::string_view::npos) return {};
  text.remove_prefix(begin);
  std::string line(text.substr(0, std::min(text.find('\n'), kMaxShown)));
  while (!line.empty() && !is_utf8(line)) line.pop_back();
  if (line.size() < text.size()) line += " ...";
  return printable(line);
}

std::string paint(std::string_view colour, const std::string& text, bool color) {
  return color ? fmt::format("{}{}{}\n", colour, text, kEnd) : text + "\n";
}

/// What a call is about: the argument that says most.
std::string about(const std::string& input) {
  static constexpr std::array<const char*, 10> kTelling = {
      "command", "cmd",   "file_path", "filePath", "path",
      "pattern", "query", "url",       "prompt",   "description"};
  const auto v = json::parse(input);
  if (!v.ok() || !v->is_object()) return first_line(input);
  for (const char* name : kTelling) {
    const auto at = v->find(name);
    if (at != v->end() && at->is_string()) return first_line(at->get<std::string>());
  }
  return v->empty() ? std::string() : first_line(input);
}

AgentLine say(const wire::Event& e, bool) {
  std::string text = safe_lines(e.text.value_or(""));
  if (!text.ends_with('\n')) text += '\n';
  return {1, std::move(text)};
}
AgentLine think(const wire::Event& e, bool color) {
  return {2, paint(kDim, safe_lines(e.text.value_or("")), color)};
}
AgentLine begin_call(const wire::Event& e, bool color) {
  const std::string what = about(e.input.value_or(""));
  return {2, paint(kDim,
                   fmt::format("> {}{}{}", printable(e.tool.value_or("")), what.empty() ? "" : ": ",
                               what),
                   color)};
}
AgentLine end_call(const wire::Event& e, bool color) {
  if (!e.failed.value_or(false)) return {};
  return {2, paint(kRed, "  failed: " + first_line(e.output.value_or("")), color)};
}
AgentLine change_file(const wire::Event& e, bool color) {
  return {2, paint(kDim,
                   fmt::format("  {} {}", printable(e.change.value_or("")),
                               printable(e.path.value_or(""))),
                   color)};
}
AgentLine warn(const wire::Event& e, bool color) {
  return {2, paint(kRed, safe_lines(e.text.value_or("")), color)};
}
AgentLine sum_up(const wire::Event& e, bool color) {
  if (!e.tokens) return {};
  return {2, paint(kDim, tokens_text(*e.tokens), color)};
}

struct Row {
  wire::EventType type;
  AgentLine (*show)(const wire::Event&, bool color);
};
constexpr Row kRows[] = {{wire::EventType::agent_text, say},
                         {wire::EventType::agent_reasoning, think},
                         {wire::EventType::agent_tool_call, begin_call},
                         {wire::EventType::agent_tool_result, end_call},
                         {wire::EventType::agent_file_change, change_file},
                         {wire::EventType::agent_limit, warn},
                         {wire::EventType::agent_error, warn},
                         {wire::EventType::task_ended, sum_up}};

}  // namespace

std::string tokens_text(const wire::AgentUsage& u) {
  std::string out = fmt::format("{} tokens in", u.input_tokens);
  if (u.cached_input_tokens > 0) out += fmt::format(" ({} cached)", u.cached_input_tokens);
  out += fmt::format(", {} out", u.output_tokens);
  if (u.cost_usd && *u.cost_usd > 0) out += fmt::format(", ${:.4f}", *u.cost_usd);
  return out;
}

AgentLine agent_line(const wire::Event& e, bool color) {
  for (const Row& row : kRows)
    if (row.type == e.type) return row.show(e, color);
  return {};
}

AgentText::AgentText(const Context& ctx) : quiet_(ctx.globals.quiet), color_(wants_color(ctx, 2)) {}

Status AgentText::output(std::string_view json) const {
  // Its stdout is told as events; what it has to say on stderr is for people anyway.
  CODEXOS_ASSIGN(const auto piece, json::decode<wire::OutputLine>(json, json::Unknown::ignore));
  if (piece.stream != "stderr" || quiet_) return {};
  return print_to(2, safe_lines(piece.text));
}

Status AgentText::line(std::string_view json) {
  if (json.starts_with(R"({"type":"output")")) return output(json);
  CODEXOS_ASSIGN(const auto event, json::decode<wire::Event>(json, json::Unknown::ignore));
  const AgentLine shown = agent_line(event, color_);
  if (shown.to == 0 || (quiet_ && shown.to == 2)) return {};
  return print_to(shown.to, shown.text);
}

}  // namespace codexos::cli
