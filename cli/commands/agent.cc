// SPDX-License-Identifier: Apache-2.0
// codexos agent list, show, check, login-share.
#include <fmt/core.h>
#include <unistd.h>

#include "cli/agent_query.h"
#include "cli/client.h"
#include "cli/commands/all.h"
#include "cli/environment.h"
#include "cli/escape.h"
#include "cli/render.h"
#include "cli/tasks.h"
#include "cli/terminal.h"
#include "cli/values.h"
#include "core/base/text.h"
#include "core/json/json.h"
#include "core/wire/agent.h"
#include "core/wire/task.h"

namespace codexos::cli {
namespace {

constexpr int kProblems = 6;  // a check ran and found some

/// How it could authenticate, in a word or two.
std::string auth_cell(const wire::AgentView& a) {
  if (a.login && a.login->state == "shared") return "login, shared";
  if (a.login && a.login->state == "not shared") return "login, not shared";
  return a.keys.empty() ? "" : "key";
}

class Rows {
 public:
  void add(std::string_view name, std::string_view value) {
    if (!value.empty()) text_ += fmt::format("{:<12}{}\n", name, printable(value));
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

void login_rows(const wire::AgentLogin& l, Rows& r) {
  r.add("login", fmt::format("{} ({})", l.state, l.file));
  r.add("", l.detail);
  r.add("shared at", l.shared_at);
  r.add("written back", l.written_back_at);
}

std::string show_text(const wire::AgentView& a) {
  Rows r;
  r.add("agent", a.name);
  r.add("about", a.about);
  r.add("preset", a.preset);
  r.add("program", a.program.empty() ? "not found" : a.program);
  if (a.program.empty()) r.add("looked in", "PATH " + join_words(a.looked_in, " "));
  r.add("job", quote_words(a.job));
  r.add("resume", quote_words(a.resume));
  r.add("terminal", quote_words(a.interactive));
  for (const auto& [name, value] : a.env) r.add("env", name + "=" + value);
  for (const auto& f : a.folders) r.add("folder", "~/" + f);
  r.add("hosts", join_words(a.hosts, " "));
  r.add("keys", join_words(a.keys, " "));
  if (a.login) login_rows(*a.login, r);
  r.add("output", a.events.empty() ? "text" : a.events);
  r.add("its sandbox", a.inner_sandbox);
  r.add("idle limit", span_text(a.idle_timeout_ms * 1000));
  return r.text();
}

/// What its program prints as its version, inside a task.
Result<std::string> version_of(Client& client, const wire::AgentQuery& query) {
  wire::TaskCreate c;
  c.agent = query.name;
  c.agent_use = wire::AgentUse::version;
  c.caller_env = query.caller_env;
  c.cwd = query.cwd;
  c.mode = wire::WorkspaceMode::none;
  constexpr uint64_t kLimitMs = 60000;
  c.limits.timeout_ms = kLimitMs;
  CODEXOS_ASSIGN(
      const std::string body,
      client.call(Request{"POST", "/v1/tasks", {}, json::encode(c, json::Defaults::omit)}));
  CODEXOS_ASSIGN(const auto task, json::decode<wire::Task>(body, json::Unknown::ignore));
  CODEXOS_ASSIGN(const std::string line, wait_for_end(client, task.id));
  CODEXOS_ASSIGN(const auto ended, json::decode<wire::Task>(line, json::Unknown::ignore));
  std::string out;
  CODEXOS_ASSIGN(auto stream,
                 client.open_stream(Request{"GET", task_path(task.id, "logs"), {}, {}}));
  for (bool more = true; more;) {
    CODEXOS_ASSIGN(more, stream.read([&out](std::string_view l) -> Status {
      CODEXOS_ASSIGN(const auto piece, json::decode<wire::OutputLine>(l, json::Unknown::ignore));
      out += piece.text;
      return {};
    }));
  }
  CODEXOS_TRY(client.call(Request{"DELETE", task_path(task.id), {}, {}}));
  while (!out.empty() && (out.back() == '\n' || out.back() == ' ')) out.pop_back();
  if (ended.exit_code.value_or(1) == 0) return out.substr(0, out.find('\n'));
  return Error{Code::unavailable,
               fmt::format("it ended with {}{}", ended.exit_code.value_or(125),
                           out.empty() ? "" : ": " + out.substr(out.rfind('\n') + 1)),
               {}};
}

}  // namespace

Result<int> list_agents(Context& ctx, const Invocation&) {
  Client client(ctx);
  if (ctx.globals.json) {
    CODEXOS_ASSIGN(const std::string body, ask_for_agents(client, ""));
    CODEXOS_TRY(print_line(body));
    return 0;
  }
  CODEXOS_ASSIGN(const auto list, find_agents(client, ""));
  Table table({"AGENT", "PROGRAM", "AUTH", "PRESET", "ABOUT"});
  std::string ids;
  for (const auto& a : list.agents) {
    ids += a.name + "\n";
    table.add({a.name, a.program.empty() ? "not found" : a.program, auth_cell(a), a.preset,
               a.error.empty() ? a.about : a.error});
  }
  const bool cut = isatty(STDOUT_FILENO) == 1;
  CODEXOS_TRY(print(ctx.globals.quiet ? ids
                                      : table.text(cut ? terminal_size(STDOUT_FILENO).cols : 0,
                                                   wants_color(ctx, STDOUT_FILENO))));
  return 0;
}

Result<int> show_agent(Context& ctx, const Invocation& inv) {
  Client client(ctx);
  CODEXOS_ASSIGN(const auto list, find_agents(client, inv.words[0]));
  for (const auto& a : list.agents)
    CODEXOS_TRY(ctx.globals.json ? print_line(json::encode(a)) : print(show_text(a)));
  return 0;
}

Result<int> check_agent(Context& ctx, const Invocation& inv) {
  Client client(ctx);
  CODEXOS_ASSIGN(const auto list, find_agents(client, inv.words[0]));
  const wire::AgentView& a = list.agents.at(0);
  wire::AgentCheck c;
  c.agent = a.name;
  c.program = a.program;
  CODEXOS_ASSIGN(auto query, make_agent_query(inv.words[0]));
  if (a.program.empty()) {
    c.problems.push_back(
        fmt::format("its program was not found: PATH {}", join_words(a.looked_in, " ")));
  } else if (auto version = version_of(client, query); version.ok()) {
    c.version = *std::move(version);
  } else {
    c.problems.push_back(
        fmt::format("its program does not run in a task: {}", version.error().message));
  }
  const Variables env = read_environment();
  for (const std::string& key : a.keys)
    if (const auto at = env.find(key); at != env.end() && !at->second.empty())
      c.keys.push_back(key);
  if (a.login) c.login = a.login->state;
  const bool authenticated = !c.keys.empty() || c.login == "shared";
  if (!a.keys.empty() && !authenticated)
    c.problems.push_back(fmt::format(
        "no key and no shared login: {}",
        c.login == "not shared" ? "codexos agent login-share " + a.name
                                : fmt::format("set {}, and give it by -e", a.keys.front())));
  if (a.login && !a.login->detail.empty()) c.problems.push_back("its login: " + a.login->detail);
  c.hosts = a.hosts;
  if (ctx.globals.json) {
    CODEXOS_TRY(print_line(json::encode(c)));
  } else {
    Rows r;
    r.add("agent", c.agent);
    r.add("program", c.program);
    r.add("version", c.version);
    for (const auto& k : c.keys) r.add("key", k + " is set: give it by -e");
    r.add("login", c.login);
    r.add("needs", join_words(c.hosts, " "));
    for (const auto& p : c.problems) r.add("problem", p);
    CODEXOS_TRY(print(r.text()));
  }
  return c.problems.empty() ? 0 : kProblems;
}

namespace {

Result<int> list_logins(Context& ctx, Client& client) {
  CODEXOS_ASSIGN(const auto list, find_agents(client, ""));
  wire::AgentLoginList logins;
  for (const auto& a : list.agents)
    if (a.login) logins.logins.push_back(*a.login);
  if (ctx.globals.json) {
    CODEXOS_TRY(print_line(json::encode(logins)));
    return 0;
  }
  Table table({"AGENT", "LOGIN", "FILE", "WRITTEN BACK", "DETAIL"});
  for (const auto& l : logins.logins)
    table.add({l.agent, l.state, l.file, l.written_back_at, l.detail});
  CODEXOS_TRY(print(table.text(0, wants_color(ctx, STDOUT_FILENO))));
  return 0;
}

}  // namespace

Result<int> share_login(Context& ctx, const Invocation& inv) {
  Client client(ctx);
  if (inv.has("list")) return list_logins(ctx, client);
  if (inv.words.empty())
    return Error{Code::invalid, "no agent is named", "codexos agent login-share AGENT"};
  CODEXOS_ASSIGN(const auto query, make_agent_query(""));
  const bool revoke = inv.has("revoke");
  CODEXOS_ASSIGN(const std::string body,
                 client.call(Request{revoke ? "DELETE" : "POST",
                                     "/v1/agents/" + http::percent_encode(inv.words[0]) + "/login",
                                     {},
                                     revoke ? "" : json::encode(query, json::Defaults::omit)}));
  if (ctx.globals.json) {
    CODEXOS_TRY(print_line(body));
    return 0;
  }
  CODEXOS_ASSIGN(const auto login, json::decode<wire::AgentLogin>(body, json::Unknown::ignore));
  if (ctx.globals.quiet) return 0;
  CODEXOS_TRY(print_line(
      revoke ? fmt::format("the login of {} is not shared any more", login.agent)
             : fmt::format("{} is shared with all tasks of {}, {}; a login that "
                           "they refresh is written back\nto end that: codexos agent login-share "
                           "--revoke {}",
                           login.file, login.agent,
                           login.placeholders ? "which find placeholders of its tokens"
                                              : "which could read it",
                           login.agent)));
  return 0;
}

}  // namespace codexos::cli
