// SPDX-License-Identifier: Apache-2.0
#include "daemon/agents/events.h"

#include <csignal>

#include "core/base/text.h"
#include "daemon/agents/parsers.h"

namespace codexos::daemon {
namespace {

constexpr size_t kMaxText = 64 << 10;
constexpr size_t kMaxOutput = 16 << 10;
constexpr size_t kMaxDetail = 300;

/// At most `limit` bytes, cut between characters, and said.
std::string cut(const std::string& text, size_t limit) {
  if (text.size() <= limit) return text;
  size_t end = limit;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return text.substr(0, end) + " [" + std::to_string(text.size() - end) + " more bytes]";
}

/// Only its exit code tells how the job ended.
class Text : public EventParser {
 public:
  Text() { p_.finished = true; }

 private:
  void object(const Value& v) override { say(wire::EventType::agent_text, json::dump(v)); }
};

std::string one_line(const std::string& text) {
  std::string out;
  for (const char c : cut(text, kMaxDetail))
    out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
  return out;
}

}  // namespace

void EventParser::line(std::string_view text, std::vector<wire::Event>& out) {
  out_ = &out;
  const size_t begin = text.find_first_not_of(" \t\r");
  if (begin == std::string_view::npos) return;
  auto v =
      text[begin] == '{' ? json::parse(text) : Result<Value>(Error{Code::invalid, "no JSON", {}});
  if (v.ok() && v->is_object())
    object(*v);
  else if (is_utf8(text))
    say(wire::EventType::agent_text, std::string(text));
}

wire::Event& EventParser::add(wire::EventType type) {
  wire::Event& e = out_->emplace_back();
  e.type = type;
  return e;
}

void EventParser::say(wire::EventType type, const std::string& text) {
  if (!text.empty()) add(type).text = cut(text, kMaxText);
}

void EventParser::call(const std::string& tool, const std::string& id, const Value& input) {
  ++p_.calls;
  auto& e = add(wire::EventType::agent_tool_call);
  e.tool = tool;
  e.call = id;
  e.input = cut(json::dump(input), kMaxOutput);
}

void EventParser::result(const std::string& tool, const std::string& id, const std::string& output,
                         bool failed) {
  auto& e = add(wire::EventType::agent_tool_result);
  if (!tool.empty()) e.tool = tool;
  e.call = id;
  e.output = cut(output, kMaxOutput);
  e.failed = failed;
}

void EventParser::file(const std::string& path, const std::string& change) {
  auto& e = add(wire::EventType::agent_file_change);
  e.path = path;
  e.change = change;
}

void EventParser::usage() {
  p_.counted = true;
  add(wire::EventType::agent_usage).tokens = p_.usage;
  if (p_.usage.cost_usd) add(wire::EventType::agent_cost).tokens = p_.usage;
}

void EventParser::error(const std::string& text) {
  p_.error = text.empty() ? "it did not say why" : text;
  say(wire::EventType::agent_error, p_.error);
}

std::unique_ptr<EventParser> make_event_parser(const std::string& name) {
  struct Row {
    std::string_view name;
    std::unique_ptr<EventParser> (*make)();
  };
  static constexpr Row kRows[] = {{"claude", make_claude_parser},
                                  {"codex", make_codex_parser},
                                  {"opencode", make_opencode_parser},
                                  {"gemini", make_gemini_parser}};
  for (const auto& row : kRows)
    if (row.name == name) return row.make();
  return std::make_unique<Text>();
}

Outcome judge_agent(Outcome o, const AgentEnd& end) {
  if (o.cause != Cause::exited) return o;  // stopped, out of time, killed: that is the reason
  const AgentProgress* p = end.progress;
  if (o.code != 0) {
    if (p != nullptr && !p->error.empty()) {
      o.detail = "the agent reported an error: " + one_line(p->error);
    } else if (end.exits != nullptr) {
      const auto known = end.exits->find(std::to_string(o.code));
      if (known != end.exits->end()) o.detail = "exit code " + known->first + ": " + known->second;
    }
    return o;
  }
  if (p == nullptr) return o;
  const auto failed = [&](std::string why) {
    o.cause = Cause::agent_failed;
    o.detail = std::move(why);
    return o;
  };
  if (!p->finished && end.interrupted) {
    o.cause = Cause::signaled;
    o.signal = SIGINT;
    o.detail = "interrupted, though its program exited with 0";
    return o;
  }
  if (!p->error.empty()) return failed("the agent reported an error: " + one_line(p->error));
  if (!p->finished) return failed("the agent left without a result");
  if (p->calls > 0 && p->denied >= p->calls)
    return failed("all of the agent's " + std::to_string(p->calls) +
                  " tool calls were refused by its own rules");
  return o;
}

}  // namespace codexos::daemon
