// SPDX-License-Identifier: Apache-2.0
// codex exec --json: thread.started, turn.started, item.started|updated|completed, turn.completed
// with usage, or turn.failed. Errors while it tries again come as `error` too, so only turn.failed
// counts. Input tokens include cached ones; usage is that of the conversation so far, so that a job
// which goes on with one counts the earlier ones again.
#include "daemon/agents/parsers.h"

namespace codexos::daemon {
namespace {

class Codex : public EventParser {
 private:
  void object(const Value& v) override {
    const std::string type = text_of(v, "type");
    if (type == "thread.started") p_.session = text_of(v, "thread_id");
    if (type == "item.started") started(member(v, "item"));
    if (type == "item.completed") completed(member(v, "item"));
    if (type == "error") say(wire::EventType::agent_limit, text_of(v, "message"));
    if (type == "turn.completed") {
      take_usage(member(v, "usage"));
      p_.finished = true;
    }
    if (type == "turn.failed") {
      p_.finished = true;
      error(text_of(member(v, "error"), "message"));
    }
  }

  void started(const Value& item) {
    const std::string type = text_of(item, "type");
    if (type == "command_execution") begin(item, "exec");
    if (type == "mcp_tool_call") begin(item, text_of(item, "server") + "." + text_of(item, "tool"));
    if (type == "web_search") begin(item, "web_search");
    if (type == "collab_tool_call") begin(item, text_of(item, "tool"));
  }

  void begin(const Value& item, const std::string& tool) {
    Value input = Value::object();
    for (const char* name : {"command", "arguments", "query", "prompt"})
      if (const Value& m = member(item, name); !m.is_null()) input[name] = m;
    begun_.put(text_of(item, "id"), {tool});
    call(tool, text_of(item, "id"), input);
  }

  void completed(const Value& item) {
    const std::string type = text_of(item, "type");
    if (type == "agent_message") return say(wire::EventType::agent_text, text_of(item, "text"));
    if (type == "reasoning") return say(wire::EventType::agent_reasoning, text_of(item, "text"));
    if (type == "error") return say(wire::EventType::agent_limit, text_of(item, "message"));
    if (type == "file_change") return changes(item);
    const std::string id = text_of(item, "id");
    if (!begun_.has(id)) started(item);  // some are told only when they are over
    const auto begun = begun_.take(id);
    if (!begun) return;
    const std::string status = text_of(item, "status");
    const Value& code = member(item, "exit_code");
    const bool failed = status == "failed" || status == "declined" ||
                        (code.is_number_integer() && code.get<int64_t>() != 0);
    if (status == "declined") ++p_.denied;
    std::string output = text_of(item, "aggregated_output");
    if (const Value& r = member(item, "result"); output.empty() && !r.is_null())
      output = json::dump(r);
    if (const Value& e = member(item, "error"); output.empty() && !e.is_null())
      output = text_of(e, "message");
    result(begun->text, id, output, failed);
  }

  void changes(const Value& item) {
    const Value& list = member(item, "changes");
    if (!list.is_array() || text_of(item, "status") == "failed") return;
    for (const auto& c : list) file(text_of(c, "path"), text_of(c, "kind"));
  }

  void take_usage(const Value& u) {
    auto& t = p_.usage;
    t.input_tokens = count_of(u, "input_tokens");
    t.cached_input_tokens = count_of(u, "cached_input_tokens");
    t.output_tokens = count_of(u, "output_tokens");
    t.reasoning_tokens = count_of(u, "reasoning_output_tokens");
    usage();
  }

  OpenCalls begun_;
};

}  // namespace

std::unique_ptr<EventParser> make_codex_parser() { return std::make_unique<Codex>(); }

}  // namespace codexos::daemon
