// SPDX-License-Identifier: Apache-2.0
#include "cli/session.h"

#include <fmt/core.h>

#include <array>

#include "cli/render.h"
#include "cli/tasks.h"
#include "core/json/json.h"

namespace codexos::cli {
namespace {

struct CauseText {
  Cause cause;
  Code code;              // of the problem document
  bool is_error;          // else a note: the user or a limit of theirs wanted it
  std::string_view text;  // where the shim gave no detail
  std::string_view hint = {};
};
constexpr std::array kTexts{
    CauseText{Cause::stopped, Code::conflict, false, "stopped"},
    CauseText{Cause::owner_gone, Code::conflict, false, "ended, since its client had gone"},
    CauseText{Cause::time_limit, Code::timeout, false, "ended at its time limit (--timeout)"},
    CauseText{Cause::idle_limit, Code::timeout, false,
              "ended after a time without output (--idle-timeout)"},
    CauseText{Cause::oom, Code::exhausted, true, "killed: out of memory"},
    CauseText{Cause::disk, Code::exhausted, true, "killed: no space left"},
    CauseText{Cause::budget, Code::exhausted, true, "its budget is used up"},
    CauseText{Cause::quota, Code::exhausted, true, "over quota"},
    CauseText{Cause::refused_by_policy, Code::denied, true, "refused by policy"},
    CauseText{Cause::not_isolated, Code::unavailable, true, "cannot be isolated here",
              "codexos doctor"},
    CauseText{Cause::start_failed, Code::internal, true, "could not be started"},
    CauseText{Cause::not_found, Code::not_found, true, "command not found"},
    CauseText{Cause::not_executable, Code::denied, true, "found, but cannot be executed"},
    CauseText{Cause::apply_failed, Code::conflict, true, "its changes could not be applied"},
    CauseText{Cause::sandbox_killed, Code::internal, true, "its sandbox was killed from outside"},
    CauseText{Cause::agent_failed, Code::unavailable, true, "the agent did not finish its job"},
    CauseText{Cause::lost, Code::internal, true, "lost: nobody saw how it ended"},
};

std::vector<int> passed_descriptors(const StdioChoice& c) {
  std::vector<int> out;
  for (const int fd : {1, 2})
    if (c.mode[static_cast<size_t>(fd)] == Stdio::passed) out.push_back(fd);
  return out;
}

Error connection_lost(const std::string& what, const std::string& task) {
  return Error{Code::unavailable, fmt::format("{}: the connection to the task was lost", what),
               task.empty() ? "codexos ps -a" : fmt::format("codexos wait {}", task)};
}

/// The shim is gone without a word: what does the daemon know? One that is gone is started again.
/// Error not_found: it was to forget the task, and did.
Result<wire::Task> ask_daemon(Client& client, const Session& s, const std::string& task) {
  const auto line = wait_for_end(client, task);
  if (!line.ok() && s.forgets && line.error().code == Code::not_found) return line.error();
  if (!line.ok()) return connection_lost(s.what, task);
  auto found = json::decode<wire::Task>(*line, json::Unknown::ignore);
  if (!found.ok() || !is_terminal(found->state)) return connection_lost(s.what, task);
  return found;
}

Result<int> after_loss(Context& ctx, Client& client, const Session& s, const std::string& task) {
  if (task.empty() || !s.owner) return connection_lost(s.what, task);
  const auto found = ask_daemon(client, s, task);
  if (!found.ok()) return connection_lost(s.what, task);
  tell_outcome(ctx, s.what, task, outcome_of(*found));
  return exit_code_of_task(*found);
}

/// The end as it stands after an apply, put into the exit frame's place.
Status take_end_from_daemon(Client& client, const Session& s, const std::string& task,
                            ExitFrame& exit) {
  const auto found = ask_daemon(client, s, task);
  // Forgotten at once, since all was applied or nothing changed: else it would be kept.
  if (!found.ok() && found.error().code == Code::not_found) return {};
  if (!found.ok()) return found.error();
  exit.outcome = outcome_of(*found);
  if (!exit.note.empty() || !found->changes || found->changes_state != "applied") return {};
  const auto& c = *found->changes;
  const uint64_t n = c.added + c.modified + c.deleted;
  if (n > 0) exit.note = fmt::format("{} {} applied · codexos undo", n, n == 1 ? "file" : "files");
  return {};
}

Result<int> conclude(Context& ctx, Client& client, const Session& s, const std::string& task,
                     RelayEnd end) {
  if (end.how == RelayHow::detached) {
    (void)print_to(2, "\n");  // the program's line was not at its end
    say(fmt::format("detached; the task goes on: codexos attach {}", task));
    return 0;
  }
  if (end.how == RelayHow::interrupted) return 128 + end.signal;
  if (s.before_end) (void)s.before_end();  // asked again for its error at the end
  if (end.how == RelayHow::lost) return after_loss(ctx, client, s, task);
  if (s.ends_later) CODEXOS_TRY(take_end_from_daemon(client, s, task, end.exit));
  int code = exit_code_of(end.exit.outcome);
  tell_outcome(ctx, s.what, task, end.exit.outcome);
  if (!end.write_error.empty()) {
    report(ctx, Error{Code::exhausted, fmt::format("{}: {}", s.what, end.write_error), {}});
    constexpr int kOurFault = 125;
    if (code == 0) code = kOurFault;
  }
  if (!ctx.globals.quiet && !end.exit.note.empty())
    (void)print_to(2, end.exit.note + (end.exit.note.ends_with('\n') ? "" : "\n"));
  return code;
}

}  // namespace

void tell_outcome(Context& ctx, const std::string& what, const std::string& task,
                  const Outcome& outcome) {
  for (const CauseText& row : kTexts) {
    if (row.cause != outcome.cause) continue;
    const std::string text = fmt::format(
        "{}: {}", what, outcome.detail.empty() ? std::string(row.text) : outcome.detail);
    if (!row.is_error) {
      if (!ctx.globals.quiet) say(text);
      return;
    }
    const Error e{row.code, text, std::string(row.hint)};
    ctx.problem = problem_of(e);
    ctx.problem->cause = cause_row(outcome.cause).name;
    ctx.problem->task = task;
    return report(ctx, e);
  }
}

Outcome outcome_of(const wire::Task& t) {
  Outcome o;
  o.cause = find_enum<Cause>(t.cause).value_or(Cause::none);
  o.signal = t.signal.value_or(0);
  o.code = t.exit_code.value_or(0);
  o.detail = t.detail;
  return o;
}

int exit_code_of_task(const wire::Task& t) {
  return t.exit_code ? *t.exit_code : exit_code_of(outcome_of(t));
}

namespace {

StdioChoice choose(const Context& ctx, const Invocation& inv, bool events) {
  std::array<Sort, 3> sorts{};
  for (const int fd : {0, 1, 2}) {
    const auto i = static_cast<size_t>(fd);
    sorts[i] = ctx.open_at_start[i] ? sort_of(fd) : Sort::closed;
  }
  StdioWish wish;
  wish.detach = inv.has("detach");
  wish.interactive = inv.has("interactive");
  wish.tty = inv.has("tty");
  wish.json = events;
  return choose_stdio(sorts, wish);
}

}  // namespace

StdioChoice stdio_for(const Context& ctx, const Invocation& inv) {
  return choose(ctx, inv, ctx.globals.json);
}
StdioChoice stdio_as_events(const Context& ctx, const Invocation& inv) {
  return choose(ctx, inv, true);
}

TerminalSize size_for(const StdioChoice& stdio) { return terminal_size(stdio.terminal_fd); }

Result<int> run_session(Context& ctx, Client& client, Session s) {
  CODEXOS_ASSIGN(SignalSource signals, SignalSource::make(s.relay.stdio.raw_input));
  bool interrupted = false;
  auto connection =
      client.upgrade(s.request, passed_descriptors(s.relay.stdio), signals.fd(), interrupted);
  if (interrupted) {
    const int signal = signals.next();
    return 128 + signal;
  }
  if (!connection.ok()) return std::move(connection).error();
  const std::string task = connection->task;
  s.relay.quiet = ctx.globals.quiet;
  if (s.on_connected) CODEXOS_TRY(s.on_connected(task, s.relay));
  RelayEnd end = relay(*std::move(connection), signals, s.relay);
  return conclude(ctx, client, s, task, std::move(end));
}

}  // namespace codexos::cli
