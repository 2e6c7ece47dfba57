// SPDX-License-Identifier: Apache-2.0
// Claude Code's stream-json: system/init, then messages of the API (assistant: text, thinking,
// tool_use; user: tool_result), rate_limit_event, system/api_retry, and last a result. A result may
// be called a success and be an error (is_error), and one whose every call was denied is a success
// too: permission_denials tells. Input tokens exclude cached ones there.
#include "daemon/agents/parsers.h"

namespace codexos::daemon {
namespace {

/// The content of a tool's result: text, or a list of parts.
std::string content_text(const json::Value& content) {
  if (content.is_string()) return content.get<std::string>();
  std::string out;
  if (content.is_array())
    for (const auto& part : content) {
      const std::string type = text_of(part, "type");
      out +=
          (out.empty() ? "" : "\n") + (type == "text" ? text_of(part, "text") : "[" + type + "]");
    }
  return out;
}

class Claude : public EventParser {
 private:
  void object(const Value& v) override {
    struct Row {
      std::string_view type;
      void (Claude::*take)(const Value&);
    };
    static constexpr Row kRows[] = {{"system", &Claude::system},
                                    {"assistant", &Claude::assistant},
                                    {"user", &Claude::user},
                                    {"rate_limit_event", &Claude::limit},
                                    {"result", &Claude::last}};
    if (const std::string id = text_of(v, "session_id"); !id.empty()) p_.session = id;
    const std::string type = text_of(v, "type");
    for (const auto& row : kRows)
      if (row.type == type) (this->*row.take)(v);
  }

  void system(const Value& v) {
    if (text_of(v, "subtype") != "api_retry") return;
    const Value& status = member(v, "error_status");
    say(wire::EventType::agent_limit,
        "the model's server does not answer (" +
            (status.is_number() ? json::dump(status) : text_of(v, "error")) + "), attempt " +
            std::to_string(count_of(v, "attempt")) + " of " +
            std::to_string(count_of(v, "max_retries")));
  }

  void assistant(const Value& v) {
    const Value& content = member(member(v, "message"), "content");
    if (!content.is_array()) return;
    for (const auto& part : content) {
      const std::string type = text_of(part, "type");
      if (type == "text") say(wire::EventType::agent_text, text_of(part, "text"));
      if (type == "thinking") say(wire::EventType::agent_reasoning, text_of(part, "thinking"));
      if (type != "tool_use") continue;
      const std::string name = text_of(part, "name");
      const Value& input = member(part, "input");
      call(name, text_of(part, "id"), input);
      if (name == "Write" || name == "Edit" || name == "MultiEdit" || name == "NotebookEdit")
        edits_.put(text_of(part, "id"),
                   {text_of(input, name == "NotebookEdit" ? "notebook_path" : "file_path"),
                    name == "Write"});
    }
  }

  void user(const Value& v) {
    const Value& content = member(member(v, "message"), "content");
    if (!content.is_array()) return;
    for (const auto& part : content) {
      if (text_of(part, "type") != "tool_result") continue;
      const std::string id = text_of(part, "tool_use_id");
      const bool failed = flag_of(part, "is_error");
      result({}, id, content_text(member(part, "content")), failed);
      const auto edit = edits_.take(id);
      if (!edit || failed || edit->text.empty()) continue;
      const bool made = text_of(member(v, "tool_use_result"), "type") == "create";
      file(edit->text, edit->whole && made ? "add" : "update");
    }
  }

  void limit(const Value& v) {
    const std::string status = text_of(member(v, "rate_limit_info"), "status");
    if (status != "allowed" && !status.empty())
      say(wire::EventType::agent_limit, "limit of the account: " + status);
  }

  void last(const Value& v) {
    const Value& u = member(v, "usage");
    auto& t = p_.usage;
    t.cached_input_tokens = count_of(u, "cache_read_input_tokens");
    t.input_tokens = count_of(u, "input_tokens") + t.cached_input_tokens +
                     count_of(u, "cache_creation_input_tokens");
    t.output_tokens = count_of(u, "output_tokens");
    if (const Value& cost = member(v, "total_cost_usd"); cost.is_number())
      t.cost_usd = cost.get<double>();
    usage();
    const Value& denials = member(v, "permission_denials");
    p_.denied = denials.is_array() ? denials.size() : 0;
    p_.finished = true;
    const std::string subtype = text_of(v, "subtype");
    const std::string said = text_of(v, "result");
    if (flag_of(v, "is_error") || subtype.rfind("error", 0) == 0)
      return error(said.empty() ? subtype : said);
    // The stream was cut in the middle of a turn, and called a success.
    if (said.empty() && text_of(v, "stop_reason") == "tool_use")
      error("it ended in the middle of a turn");
  }

  OpenCalls edits_;
};

}  // namespace

std::unique_ptr<EventParser> make_claude_parser() { return std::make_unique<Claude>(); }

}  // namespace codexos::daemon
