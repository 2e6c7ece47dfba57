// SPDX-License-Identifier: Apache-2.0
#include "daemon/gateway/script.h"

#include <fnmatch.h>
#include <regex.h>

#include <algorithm>
#include <array>
#include <memory>

#include "core/base/units.h"
#include "core/policy/yaml.h"
#include "daemon/gateway/script_render.h"

namespace codexos::daemon {
namespace {

using json::Value;

constexpr size_t kMaxMatched = 4096;  // of the user's text, its end, that an expression sees

/// The agents' shell tools, and how each wants its command.
enum class ShellForm { command, cmd, list };
struct ShellRow {
  std::string_view name;
  ShellForm form;
};
constexpr std::array kShells{
    ShellRow{"Bash", ShellForm::command},     ShellRow{"bash", ShellForm::command},
    ShellRow{"exec_command", ShellForm::cmd}, ShellRow{"shell_command", ShellForm::command},
    ShellRow{"shell", ShellForm::list},       ShellRow{"run_shell_command", ShellForm::command},
};

const Value* inner(const Value& v, const char* name) {
  if (!v.is_object()) return nullptr;
  const auto it = v.find(name);
  return it == v.end() ? nullptr : &*it;
}
std::string text_in(const Value& v, const char* name) {
  const Value* x = inner(v, name);
  return x != nullptr && x->is_string() ? x->get<std::string>() : std::string();
}

/// Of a string, or of the parts of a list.
std::string text_of(const Value* content) {
  if (content == nullptr) return {};
  if (content->is_string()) return content->get<std::string>();
  std::string out;
  if (content->is_array())
    for (const Value& part : *content) {
      const std::string text = text_in(part, "text");
      if (!text.empty()) out.append(out.empty() ? "" : "\n").append(text);
    }
  return out;
}

bool has_part(const Value& message, std::string_view type) {
  const Value* content = inner(message, "content");
  if (content == nullptr || !content->is_array()) return false;
  return std::any_of(content->begin(), content->end(),
                     [&](const Value& part) { return text_in(part, "type") == type; });
}

enum class Speaker { model, user, tool, other };

Speaker speaker_of(const Value& item) {
  const std::string role = text_in(item, "role"), type = text_in(item, "type");
  if (role == "assistant" || type == "function_call" || type == "custom_tool_call" ||
      type == "local_shell_call" || type == "reasoning")
    return Speaker::model;
  if (role == "tool" || type == "function_call_output" || type == "custom_tool_call_output" ||
      type == "local_shell_call_output" || has_part(item, "tool_result"))
    return Speaker::tool;
  return role == "user" ? Speaker::user : Speaker::other;
}

bool matches_regex(const std::string& expression, const std::string& text) {
  regex_t r;
  if (regcomp(&r, expression.c_str(), REG_EXTENDED | REG_NOSUB) != 0) return false;
  const std::string end = text.substr(text.size() - std::min(text.size(), kMaxMatched));
  const bool found = regexec(&r, end.c_str(), 0, nullptr, 0) == 0;
  regfree(&r);
  return found;
}

bool matches(const ScriptMatch& m, const ModelRequest& r, const Conversation& c) {
  if (!m.model.empty() && fnmatch(m.model.c_str(), r.model.c_str(), 0) != 0) return false;
  if (!m.user.empty() && c.last_user.find(m.user) == std::string::npos) return false;
  if (m.turn && *m.turn != c.turn) return false;
  if (m.tools && *m.tools == c.tools.empty()) return false;
  return m.regex.empty() || matches_regex(m.regex, c.last_user);
}

Status check_row(const yaml::Document& d, const ScriptRow& row, const std::string& path) {
  if (!row.match.regex.empty()) {
    regex_t r;
    if (regcomp(&r, row.match.regex.c_str(), REG_EXTENDED | REG_NOSUB) != 0)
      return d.error(path + ".match.regex", "field \"regex\" is no expression");
    regfree(&r);
  }
  if (row.fault && !row.fault->slow.empty() && !parse_duration(row.fault->slow).ok())
    return d.error(path + ".fault.slow", "field \"slow\" must be a time, as in 20ms");
  if (row.fault && row.fault->status != 0 && (row.fault->status < 400 || row.fault->status > 599))
    return d.error(path + ".fault.status", "field \"status\" must be 400 to 599");
  return {};
}

const ScriptRow* find_row(const Script& s, const ModelRequest& r, const Conversation& c) {
  for (const auto& row : s.rules)
    if (matches(row.match, r, c)) return &row;
  if (s.turns.empty()) return nullptr;
  return &s.turns[std::min<size_t>(c.turn, s.turns.size()) - 1];
}

std::optional<ScriptCall> shell_call(const std::string& command, const Conversation& c) {
  for (const auto& shell : kShells) {
    if (std::find(c.tools.begin(), c.tools.end(), shell.name) == c.tools.end()) continue;
    Value arguments;
    if (shell.form == ShellForm::cmd) {
      arguments["cmd"] = command;
    } else if (shell.form == ShellForm::list) {
      arguments["command"] = {"bash", "-c", command};
    } else {
      arguments["command"] = command;
      arguments["description"] = "as the script says";
    }
    return ScriptCall{std::string(shell.name), json::dump(arguments)};
  }
  return std::nullopt;
}

ScriptedAnswer error_answer(Endpoint endpoint, int status, const std::string& message) {
  const Dialect dialect = endpoint == Endpoint::messages || endpoint == Endpoint::count_tokens
                              ? Dialect::anthropic
                              : Dialect::openai;
  ScriptedAnswer a;
  a.status = status;
  a.content_type = "application/json";
  a.pieces = {api_error(dialect, ApiProblem::invalid, message).body};
  return a;
}

void apply_fault(const ScriptFault& f, Endpoint endpoint, ScriptedAnswer& a) {
  if (f.status != 0) {
    a = error_answer(endpoint, f.status, f.message);
    a.retry_after = f.retry_after;
  }
  if (!f.slow.empty()) a.slow_ms = *parse_duration(f.slow);
  if (f.hang) a.pieces.clear();
  a.hang = f.hang;
  a.cut = f.cut_after.has_value();
  if (a.cut) a.pieces.resize(std::min<size_t>(a.pieces.size(), *f.cut_after));
}

}  // namespace

Result<Script> read_script(std::string_view text, const std::string& file) {
  CODEXOS_ASSIGN(const yaml::Document d, yaml::parse(text, file));
  CODEXOS_ASSIGN(Script s, yaml::decode<Script>(d));
  for (size_t i = 0; i < s.rules.size(); ++i)
    CODEXOS_TRY(check_row(d, s.rules[i], "rules[" + std::to_string(i) + "]"));
  for (size_t i = 0; i < s.turns.size(); ++i)
    CODEXOS_TRY(check_row(d, s.turns[i], "turns[" + std::to_string(i) + "]"));
  return s;
}

Conversation read_conversation(const ModelRequest& r) {
  Conversation c;
  const Value* list = inner(r.body, r.endpoint == Endpoint::responses ? "input" : "messages");
  if (list != nullptr && list->is_string()) c.last_user = list->get<std::string>();
  bool model_speaks = false;
  if (list != nullptr && list->is_array())
    for (const Value& item : *list) {
      const Speaker who = speaker_of(item);
      if (who == Speaker::model && !std::exchange(model_speaks, true)) ++c.turn;
      if (who == Speaker::user || who == Speaker::tool) model_speaks = false;
      if (who == Speaker::user) c.last_user = text_of(inner(item, "content"));
    }
  if (const Value* tools = inner(r.body, "tools"); tools != nullptr && tools->is_array())
    for (const Value& t : *tools) {
      const Value* f = inner(t, "function");
      std::string name = text_in(f != nullptr && f->is_object() ? *f : t, "name");
      if (!name.empty()) c.tools.push_back(std::move(name));
    }
  return c;
}

ScriptedAnswer answer_by_script(const Script& s, const ModelRequest& r, ScriptCounts& counts) {
  if (r.endpoint == Endpoint::embeddings || r.endpoint == Endpoint::count_tokens)
    return render_counted(r);
  const Conversation c = read_conversation(r);
  const ScriptRow* row = find_row(s, r, c);
  if (row == nullptr)
    return error_answer(r.endpoint, 404, "the script has no answer to this request");
  const bool by_turn = row >= s.turns.data() && row < s.turns.data() + s.turns.size();
  if (by_turn && c.tools.empty() && !s.without_tools.empty())
    return render_reply(r, c.turn, ScriptedReply{s.without_tools, {}, row->usage, true});
  ScriptedReply reply{row->reply, row->calls, row->usage, true};
  if (!row->run.empty())
    if (auto call = shell_call(row->run, c)) reply.calls.push_back(*std::move(call));
  const bool faulty = row->fault && (row->fault->times == 0 || counts[row]++ < row->fault->times);
  if (!faulty) return render_reply(r, c.turn, reply);
  reply.tells_usage = !row->fault->no_usage;
  ScriptedAnswer a = render_reply(r, c.turn, reply);
  apply_fault(*row->fault, r.endpoint, a);
  return a;
}

}  // namespace codexos::daemon
