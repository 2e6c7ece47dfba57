// SPDX-License-Identifier: Apache-2.0
// opencode run --format json: step_start, text, reasoning, tool_use (once, when the call is over),
// step_finish with the tokens and cost of that step, error. The step whose reason is no tool call
// is the last one. Input tokens exclude cached ones.
#include "daemon/agents/parsers.h"

namespace codexos::daemon {
namespace {

class Opencode : public EventParser {
 private:
  void object(const Value& v) override {
    if (const std::string id = text_of(v, "sessionID"); !id.empty()) p_.session = id;
    const std::string type = text_of(v, "type");
    const Value& part = member(v, "part");
    if (type == "text") say(wire::EventType::agent_text, text_of(part, "text"));
    if (type == "reasoning") say(wire::EventType::agent_reasoning, text_of(part, "text"));
    if (type == "tool_use") tool(part);
    if (type == "step_start") p_.finished = false;
    if (type == "step_finish") finish(part);
    if (type == "error") {
      const Value& e = member(v, "error");
      const std::string message = text_of(member(e, "data"), "message");
      p_.finished = true;
      error(message.empty() ? text_of(e, "name") : message);
    }
  }

  void tool(const Value& part) {
    const Value& state = member(part, "state");
    const std::string name = text_of(part, "tool"), id = text_of(part, "callID");
    const Value& input = member(state, "input");
    call(name, id, input);
    const bool failed = text_of(state, "status") == "error";
    const std::string why = text_of(state, "error");
    // In its own words: a rule of its configuration, or nobody to ask.
    if (failed && (why.find("rule which prevents") != std::string::npos ||
                   why.find("rejected permission") != std::string::npos))
      ++p_.denied;
    result(name, id, failed ? why : text_of(state, "output"), failed);
    if (!failed && (name == "write" || name == "edit" || name == "patch"))
      if (const std::string path = text_of(input, "filePath"); !path.empty()) {
        const bool existed = flag_of(member(state, "metadata"), "exists");
        file(path, name == "write" && !existed ? "add" : "update");
      }
  }

  void finish(const Value& part) {
    const Value& tokens = member(part, "tokens");
    const Value& cache = member(tokens, "cache");
    auto& t = p_.usage;
    t.cached_input_tokens += count_of(cache, "read");
    t.input_tokens +=
        count_of(tokens, "input") + count_of(cache, "read") + count_of(cache, "write");
    t.output_tokens += count_of(tokens, "output") + count_of(tokens, "reasoning");
    t.reasoning_tokens += count_of(tokens, "reasoning");
    if (const Value& cost = member(part, "cost"); cost.is_number())
      t.cost_usd = t.cost_usd.value_or(0) + cost.get<double>();
    usage();
    p_.finished = text_of(part, "reason") != "tool-calls";
  }
};

}  // namespace

std::unique_ptr<EventParser> make_opencode_parser() { return std::make_unique<Opencode>(); }

}  // namespace codexos::daemon
