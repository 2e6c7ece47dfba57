// SPDX-License-Identifier: Apache-2.0
// gemini --output-format stream-json: init, message, tool_use, tool_result, error, and last a
// result with stats. A message of the model comes in pieces (delta), which are put together, up to
// what one event holds.
#include "daemon/agents/parsers.h"

namespace codexos::daemon {
namespace {

constexpr size_t kMaxSaid = 64 << 10;

class Gemini : public EventParser {
 private:
  void object(const Value& v) override {
    const std::string type = text_of(v, "type");
    if (type == "message" && text_of(v, "role") == "assistant") {
      const std::string piece = text_of(v, "content");
      if (said_.size() + piece.size() > kMaxSaid) flush();
      said_ += piece;
      if (!flag_of(v, "delta")) flush();
      return;
    }
    flush();
    if (type == "init") p_.session = text_of(v, "session_id");
    if (type == "tool_use") {
      tools_.put(text_of(v, "tool_id"), {text_of(v, "tool_name")});
      call(text_of(v, "tool_name"), text_of(v, "tool_id"), member(v, "parameters"));
    }
    if (type == "tool_result") {
      const std::string id = text_of(v, "tool_id");
      const bool failed = text_of(v, "status") == "error";
      if (text_of(member(v, "error"), "type") == "policy_violation") ++p_.denied;
      const std::string output = text_of(v, "output");
      result(tools_.take(id).value_or(OpenCalls::Call{}).text, id,
             failed && output.empty() ? text_of(member(v, "error"), "message") : output, failed);
    }
    if (type == "error") say(wire::EventType::agent_limit, text_of(v, "message"));
    if (type == "result") last(v);
  }

  void flush() { say(wire::EventType::agent_text, std::exchange(said_, {})); }

  void last(const Value& v) {
    const Value& stats = member(v, "stats");
    auto& t = p_.usage;
    t.input_tokens = count_of(stats, "input_tokens");
    t.cached_input_tokens = count_of(stats, "cached");
    t.output_tokens = count_of(stats, "output_tokens");
    usage();
    p_.finished = true;
    if (text_of(v, "status") != "success") error(text_of(member(v, "error"), "message"));
  }

  std::string said_;
  OpenCalls tools_;
};

}  // namespace

std::unique_ptr<EventParser> make_gemini_parser() { return std::make_unique<Gemini>(); }

}  // namespace codexos::daemon
