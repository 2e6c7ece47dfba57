// SPDX-License-Identifier: Apache-2.0
// codexos inspect: all that is known about a task.
#include <fmt/core.h>
#include <unistd.h>

#include "cli/agent_text.h"
#include "cli/client.h"
#include "cli/commands/all.h"
#include "cli/escape.h"
#include "cli/render.h"
#include "cli/tasks.h"
#include "cli/values.h"
#include "core/base/text.h"

namespace codexos::cli {
namespace {

class Summary {
 public:
  void row(std::string_view name, std::string_view value) {
    if (!value.empty()) text_ += fmt::format("{:<12}{}\n", name, printable(value));
  }
  void raw(std::string_view name, std::string_view value) {
    text_ += fmt::format("{:<12}{}\n", name, value);
  }
  std::string text() { return std::move(text_); }

 private:
  std::string text_;
};

std::string end_text(const wire::Task& t) {
  if (!is_terminal(t.state)) return {};
  std::string out = t.cause;
  if (t.signal) out += fmt::format(" {}", signal_name(*t.signal));
  if (t.exit_code) out += fmt::format(", exit code {}", *t.exit_code);
  return out;
}

std::string usage_text(const Usage& u) {
  std::string out = fmt::format("{} wall, {} user, {} system, {} memory", span_text(u.wall_us),
                                span_text(u.cpu_user_us), span_text(u.cpu_system_us),
                                size_text(u.memory_bytes.value_or(u.max_rss_bytes)));
  if (u.pids) out += fmt::format(", {} processes", *u.pids);
  if (u.disk_bytes) out += fmt::format(", {} disk", size_text(*u.disk_bytes));
  return out;
}

std::string net_text(const wire::TaskNet& n) {
  std::string out = n.allow.empty() ? "nothing is allowed" : join_words(n.allow, " ");
  if (n.bytes_in)
    out += fmt::format(" ({} in, {} out, {} connections, {} refused)", size_text(*n.bytes_in),
                       size_text(n.bytes_out.value_or(0)), n.connections.value_or(0),
                       n.denials.value_or(0));
  return out;
}

std::string changes_line(const wire::Task& t) {
  if (t.changes_state.empty() || t.changes_state == "none") return {};
  const std::string what = t.changes ? changes_text(*t.changes) : "";
  return what.empty() ? t.changes_state : fmt::format("{} ({})", what, t.changes_state);
}

void agent_rows(const wire::AgentRecord& a, Summary& s) {
  s.row("agent", fmt::format("{} ({})", a.name, a.preset));
  s.row("job", a.prompt);
  s.row("session", a.session + (a.continued ? " (continued)" : ""));
  s.row("auth", a.auth);
  s.row("its sandbox", a.inner_sandbox);
  if (a.usage) s.row("tokens", tokens_text(*a.usage));
}

std::string summary(const wire::Task& t, bool color) {
  Summary s;
  s.row("task", t.id);
  s.row("name", t.name);
  for (const auto& [k, v] : t.labels) s.row("label", k + "=" + v);
  s.raw("state", paint_state(t.state, color));
  s.row("end", end_text(t));
  s.row("detail", t.detail);
  if (t.agent) agent_rows(*t.agent, s);
  s.row("command", quote_words(t.argv));
  s.row("in", t.cwd);
  if (!t.workspace.empty())
    s.row("workspace", fmt::format("{} ({})", t.workspace, name_of(t.mode)));
  s.row("from", t.from);
  s.row("changes", changes_line(t));
  s.row("isolation",
        fmt::format("{}, seccomp {}, network {}{}", t.isolation, t.seccomp, t.network,
                    t.landlock_abi > 0 ? fmt::format(", Landlock {}", t.landlock_abi) : ""));
  if (t.net) s.row("network", net_text(*t.net));
  s.row("created", t.created_at);
  s.row("started", t.started_at);
  s.row("ended", t.ended_at);
  if (t.pid) s.row("pid", std::to_string(*t.pid));
  for (const auto& l : t.limits) s.row("limit", l.name + " " + limit_line(l));
  if (t.usage) s.row("used", usage_text(*t.usage));
  for (const std::string& n : t.notes) s.row("note", n);
  return s.text();
}

}  // namespace

Result<int> inspect_task(Context& ctx, const Invocation& inv) {
  Client client(ctx);
  Invocation tasks = inv;
  if (tasks.words.empty()) {
    CODEXOS_ASSIGN(std::string last, task_or_last(ctx, client, inv));
    tasks.words = {std::move(last)};
  }
  bool first = true;
  return for_each_task(ctx, tasks, [&](const std::string& name) -> Status {
    CODEXOS_ASSIGN(const std::string body, client.call(Request{"GET", task_path(name), {}, {}}));
    if (ctx.globals.json) return print_line(body);
    CODEXOS_ASSIGN(const auto task, json::decode<wire::Task>(body, json::Unknown::ignore));
    if (ctx.globals.quiet) return print_line(task.id);
    const std::string text = summary(task, wants_color(ctx, STDOUT_FILENO));
    return print((std::exchange(first, false) ? "" : "\n") + text);
  });
}

}  // namespace codexos::cli
