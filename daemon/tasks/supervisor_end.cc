// SPDX-License-Identifier: Apache-2.0
// How tasks end: from what their shim says, or from what it left.
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/json/json.h"
#include "core/os/file.h"
#include "daemon/tasks/applier.h"
#include "daemon/tasks/client_frames.h"
#include "daemon/tasks/explain.h"
#include "daemon/tasks/known_values.h"
#include "daemon/tasks/landlock_start.h"
#include "daemon/tasks/supervisor.h"
#include "daemon/workspace/base.h"

namespace codexos::daemon {
namespace {

constexpr size_t kCountLimit = 2000;    // entries of the walk for the closing note
constexpr int64_t kRetryMs = 500;       // of an end that could not be written
constexpr int64_t kReconnectMs = 1000;  // to a living shim whose link closed

std::string files_text(const wire::ChangeCount& c) {
  const uint64_t n = c.added + c.modified + c.deleted;
  return std::to_string(n) + (c.more ? "+" : "") + (n == 1 && !c.more ? " file" : " files");
}

std::string closing_note(const wire::ChangeCount& c) {
  if (c.added + c.modified + c.deleted == 0) return {};
  return files_text(c) + " changed · codexos diff · codexos apply";
}

wire::ChangeCount count_of(const wire::ApplyResult& r) {
  wire::ChangeCount c;
  for (const auto& change : r.applied)
    ++(change.status == "A" ? c.added : change.status == "D" ? c.deleted : c.modified);
  return c;
}

/// Nothing was left out of the apply at its end (skip_protected): that would wait on.
bool is_whole(Store& store, const std::string& task) {
  const auto made = store.journal().last_of_task(task);
  return made.ok() && *made && (*made)->whole;
}

/// Why an apply at the end of a task did not come about.
std::string why_not_applied(const Result<wire::ApplyResult>& result) {
  if (!result.ok()) return result.error().message;
  struct Row {
    wire::ApplyOutcome outcome;
    const std::vector<wire::PathNote>& paths;
    const char* what;
  };
  const Row rows[] = {{wire::ApplyOutcome::conflict, result->conflicts, "was written here as well"},
                      {wire::ApplyOutcome::protected_, result->protected_,
                       "is executed or obeyed by other programs"},
                      {wire::ApplyOutcome::refused, result->refused, "is never applied"}};
  for (const Row& row : rows) {
    if (row.outcome != result->outcome || row.paths.empty()) continue;
    const size_t more = row.paths.size() - 1;
    return row.paths.front().path + (more == 0 ? "" : " and " + std::to_string(more) + " more") +
           ": " + row.what;
  }
  return "unknown";
}

}  // namespace

void Supervisor::on_link_closed(const std::string& id) {
  Running* r = find_running(id);
  if (r == nullptr) return;
  r->link_closed = true;
  thaw_paused(*r);
  maybe_resolve(*r);
  // A shim that lives without its link (it never closes it itself) is asked again.
  r = find_running(id);
  if (r == nullptr || r->finished || r->end_row || !r->link_closed) return;
  p_.loop.after_ms(kReconnectMs, "reconnect to shim", [this, id] {
    Running* x = find_running(id);
    if (x != nullptr && x->link_closed && !x->finished) recover_one(id);
  });
}

void Supervisor::on_process_gone(const std::string& id) {
  Running* r = find_running(id);
  if (r == nullptr) return;
  p_.loop.forget(r->helper->pidfd.get());
  r->process_gone = true;
  maybe_resolve(*r);
}

/// Both must hold: a dying process closes its link before its namespace is empty.
void Supervisor::maybe_resolve(Running& r) {
  const bool process_known = r.helper && r.helper->pidfd;
  if (!r.link_closed || (process_known && !r.process_gone)) return;
  if (r.finished) {
    const std::string id = r.row.task.id;
    if (!r.end_row) retire(id);  // else after_end() will
    return;
  }
  if (!r.end_row) resolve_end(r);
}

void Supervisor::resolve_end(Running& r) {
  Ended end;
  end.at_us = now_us();
  const auto record = read_record(paths(r.row).record());
  const auto told = record.ok() ? end_of_record(*record, p_.boot_id) : std::nullopt;
  const bool nothing_ran = !r.started && record.ok() && !told && never_ran(*record, p_.boot_id);
  if (nothing_ran && try_again(r)) return;
  if (told) {
    end = *told;
    // Its start was not told in time, but is in the record too.
    const Cause c = end.outcome.cause;
    if (!r.started && record->started_at_us != 0 && c != Cause::start_failed &&
        c != Cause::not_found && c != Cause::not_executable)
      note_started(r, record->started_at_us);
  } else if (nothing_ran && r.row.task.state == TaskState::stopping) {
    end.outcome.cause = Cause::stopped;
    end.outcome.signal = SIGKILL;
    end.outcome.detail = "stopped before the program ran";
  } else if (r.forced != Cause::none) {
    end.outcome.cause = r.forced;
    end.outcome.signal = SIGKILL;
  } else if (r.recovered && nothing_ran) {
    end.outcome.cause = Cause::start_failed;
    end.outcome.detail = "the daemon ended before the program was started";
  } else if (r.recovered) {
    end.outcome.cause = Cause::lost;
    end.outcome.detail = r.row.boot_id == p_.boot_id
                             ? "its sandbox ended without a record while no daemon ran"
                             : "the machine was started again";
  } else if (!r.started) {
    end.outcome.cause = Cause::start_failed;
    end.outcome.detail = "the sandbox ended while it was being prepared";
  } else {
    end.outcome.cause = Cause::sandbox_killed;
    end.outcome.signal = SIGKILL;
    end.outcome.detail = "the task's sandbox was killed from outside";
  }
  if (record.ok() && !told) {
    end.usage.stdout_bytes = record->stream_bytes[0];
    end.usage.stderr_bytes = record->stream_bytes[1];
  }
  finish(r.row.task.id, end);
}

/// `started` as a record tells it; written together with the end.
void Supervisor::note_started(Running& r, int64_t at_us) {
  r.started = r.unwritten = true;
  r.row.started_at_us = at_us;
  r.row.task.started_at = format_time(at_us);
  if (const auto next = next_state(r.row.task.state, TaskInput::started); next.ok())
    r.row.task.state = *next;
}

/// A helper that dies before it ran anything (it was parked, and somebody killed it) costs a second
/// one, not the task. Its client has noticed nothing, and what the job needs is still open here.
bool Supervisor::try_again(Running& r) {
  if (!r.again || r.forced != Cause::none || r.row.task.state != TaskState::starting) return false;
  const auto again = std::move(r.again);
  const auto view = p_.planner.view_of(again->request);
  auto helper = view.ok()
                    ? p_.launcher.launch(**view, again->job, again->fds, Launcher::Choice::fresh)
                    : Result<std::unique_ptr<Helper>>(view.error());
  const std::string id = r.row.task.id;
  if (!helper.ok()) {
    log_line(LogLevel::warning, "task " + id, "no second sandbox: " + helper.error().message);
    return false;
  }
  log_line(LogLevel::warning, "task " + id,
           "its sandbox ended before the program ran; it gets another one");
  r.helper = *std::move(helper);
  r.link_closed = r.process_gone = false;
  listen(r);
  if (r.committed) r.helper->link->send(LinkType::go);
  return true;
}

void Supervisor::finish(const std::string& id, const Ended& told) {
  Running* r = find_running(id);
  if (r == nullptr || r->finished || r->end_row || r->applying) return;
  if (settle_copies_first(*r, told) || end_network_first(*r, told)) return;
  start_is_over(*r);
  r->again.reset();
  Ended end = told;
  judge(*r, end);
  judge_budget(*r, end);
  if (wants_apply(*r, end)) return apply_then_finish(*r, end);
  const bool unwritten = r->unwritten;
  if (auto s = write_end(*r, end); !s.ok()) {
    end_not_written(id, end, unwritten, s.error());
    return;
  }
  // The program is gone, the client not told yet: while the commit waits for the disk, the worker
  // sees the real folders as they are before the user can react.
  record_base_of(*r->end_row, false);
  p_.after_commit.add(
      [this, id] { after_end(id); },
      [this, id, end, unwritten](const Error& why) { end_not_written(id, end, unwritten, why); });
}

/// The end of the program is known, everything in the sandbox is dead, and nothing is written yet.
bool Supervisor::wants_apply(const Running& r, const Ended& end) const {
  if (r.apply_tried || (!r.started && r.row.started_at_us == 0)) return false;
  const Cause cause = end.outcome.cause;
  if (cause == Cause::lost || cause == Cause::sandbox_killed) return false;  // nobody saw the end
  if (r.apply == wire::ApplyWhen::never) return false;
  return r.apply == wire::ApplyWhen::always || (cause == Cause::exited && end.outcome.code == 0);
}

void Supervisor::apply_then_finish(Running& r, const Ended& end) {
  const std::string id = r.row.task.id;
  r.applying = true;
  // An earlier daemon may have done it and died before it wrote the end.
  if (const auto done = p_.store.journal().last_of_task(id); done.ok() && *done) {
    wire::ApplyResult result;
    result.outcome = wire::ApplyOutcome::done;
    result.applied.resize(static_cast<size_t>((*done)->paths));
    return on_applied(id, end, result);
  }
  settle();
  wire::ApplyBody body;
  const auto stored = json::decode<StoredCreate>(r.row.create_json, json::Unknown::ignore);
  if (stored.ok()) {
    body.allow_protected = stored->create.allow_protected;
    body.skip_protected = stored->create.skip_protected;
  }
  p_.applier.apply_at_end(r.row, body, [this, id, end](const Result<wire::ApplyResult>& result) {
    on_applied(id, end, result);
  });
}

void Supervisor::on_applied(const std::string& id, Ended end,
                            const Result<wire::ApplyResult>& result) {
  Running* r = find_running(id);
  if (r == nullptr) return;
  r->applying = false;
  r->apply_tried = true;
  const bool applied = result.ok() && (result->outcome == wire::ApplyOutcome::done ||
                                       result->outcome == wire::ApplyOutcome::nothing);
  if (applied) {
    r->applied = count_of(*result);
  } else {
    end.outcome.cause = Cause::apply_failed;
    end.outcome.detail = "its changes could not be applied: " + why_not_applied(result);
  }
  finish(id, end);
}

/// Tried again until it works: the shim holds the end, then its record does.
void Supervisor::end_not_written(const std::string& id, const Ended& end, bool unwritten,
                                 const Error& why) {
  Running* r = find_running(id);
  if (r == nullptr) return;
  log_line(LogLevel::error, "task " + id, "its end is not written yet: " + why.message);
  r->unwritten = unwritten;
  r->end_row.reset();
  p_.loop.after_ms(kRetryMs, "write end again", [this, id, end] { finish(id, end); });
}

void Supervisor::count_changes_of(TaskRow& row, bool started, std::string& note) const {
  if (row.task.mode != wire::WorkspaceMode::overlay || row.task.workspace.empty()) return;
  row.task.changes_state = "none";
  if (!started) return;
  const auto roots = json::decode<Roots>(row.layers_json, json::Unknown::ignore);
  const auto counted = roots.ok() ? count_changes(roots->roots, kCountLimit)
                                  : Result<wire::ChangeCount>(roots.error());
  if (!counted.ok()) {
    // What cannot be counted is kept.
    row.task.changes_state = "waiting";
    row.task.notes.push_back("changes could not be counted: " + counted.error().message);
    return;
  }
  row.task.changes = *counted;
  note = closing_note(*counted);
  if (!note.empty() || counted->more) row.task.changes_state = "waiting";
}

Status Supervisor::write_end(Running& r, const Ended& end) {
  TaskRow row = r.row;
  auto& t = row.task;
  CODEXOS_ASSIGN(t.state, end_state(t.state, end.outcome));
  // An execve that failed is told by `ended` without `started`; its layers are empty either way.
  const bool ran = r.started || row.started_at_us != 0;
  t.activity.clear();
  t.cause = cause_row(end.outcome.cause).name;
  t.exit_code = exit_code_of(end.outcome);
  if (end.outcome.signal != 0) t.signal = end.outcome.signal;
  t.detail = end.outcome.detail;
  p_.values.redact(t.id, t.detail);
  row.ended_at_us = end.at_us != 0 ? end.at_us : now_us();
  t.ended_at = format_time(row.ended_at_us);
  t.usage = end.usage;
  t.pid.reset();
  t.notes.insert(t.notes.end(), end.notes.begin(), end.notes.end());
  if (r.applied) {
    const bool any = r.applied->added + r.applied->modified + r.applied->deleted > 0;
    t.changes = r.applied;
    t.changes_state = any ? "applied" : "none";
    if (any) r.end_note = files_text(*r.applied) + " applied · codexos undo";
  }
  if (!r.applied || !is_whole(p_.store, t.id)) {
    std::string waits;
    count_changes_of(row, ran, waits);
    if (!waits.empty()) r.end_note += (r.end_note.empty() ? "" : "\n") + waits;
  }
  if (ran && t.exit_code != 0)
    for (const std::string* why : {&r.on_failure, &r.unused_hint})
      if (!why->empty()) r.end_note += (r.end_note.empty() ? "" : "\n") + *why;
  if (r.unsettled) t.changes_state = "waiting";
  if (t.exit_code != 0 || r.learns) add_refusals(row, r.end_note);

  CODEXOS_TRY(p_.store.savepoint());
  const auto write = [&]() -> Status {
    if (r.unwritten) write_started(r);
    CODEXOS_TRY(p_.store.update_task(row));
    if (!ran && !t.from.empty()) CODEXOS_TRY(give_back_from(row));
    return add_event(row, wire::EventType::task_ended, [&row](wire::Event& e) {
      e.cause = row.task.cause;
      e.exit_code = row.task.exit_code;
      e.signal = row.task.signal;
      if (!row.task.detail.empty()) e.detail = row.task.detail;
      e.usage = row.task.usage;
      e.changes = row.task.changes;
      if (row.task.agent) e.tokens = row.task.agent->usage;
      e.models = row.task.models;
    });
  };
  auto written = write();
  if (!written.ok()) {
    p_.store.rollback();
    return written;
  }
  r.end_row = std::move(row);
  return p_.store.release();
}

/// After a failure: what was refused, with the option that would allow it.
void Supervisor::add_refusals(const TaskRow& row, std::string& note) {
  constexpr size_t kMost = 3;
  const auto why = explain_task(row, p_.store, p_.planner, Depth::first);
  if (!why.ok()) return log_line(LogLevel::warning, "task " + row.task.id, why.error().message);
  const std::string lines = policy::closing_lines(*why, kMost);
  if (!lines.empty()) note += (note.empty() ? "" : "\n") + lines;
}

/// A task that never ran took nothing over: the earlier one's changes wait again.
Status Supervisor::give_back_from(const TaskRow& row) {
  auto from = p_.store.load_task(row.task.from);
  if (!from.ok() || from->task.changes_state != "continued") return {};
  from->task.changes_state = "waiting";
  return p_.store.update_task(*from);
}

void Supervisor::after_end(const std::string& id) {
  Running* r = find_running(id);
  if (r == nullptr || !r->end_row) return;
  r->row = *std::move(r->end_row);
  r->end_row.reset();
  r->finished = true;
  if (r->deadline != 0) p_.loop.cancel(std::exchange(r->deadline, 0));
  if (r->pause_timer != 0) p_.loop.cancel(std::exchange(r->pause_timer, 0));
  tell_client(*r);
  if (r->helper && !r->link_closed) r->helper->link->send(LinkType::end_ack, EndAck{r->end_note});
  for (const auto& done : std::exchange(r->on_pause, {}))
    done(Error{Code::conflict, "task " + id + " has ended", {}});
  for (const auto& done : std::exchange(r->on_end, {})) done(r->row.task);
  measured(*r, Error{Code::conflict, "task " + id + " has ended", {}});
  reached(id);
  r = find_running(id);
  if (r != nullptr) maybe_resolve(*r);
}

void Supervisor::record_base_of(const TaskRow& row, bool late) {
  const std::string& state = row.task.changes_state;
  if (row.task.mode != wire::WorkspaceMode::overlay || (state != "waiting" && state != "continued"))
    return;
  const bool same_boot = row.boot_id == p_.boot_id;
  p_.worker.submit([files = paths(row), row, late, same_boot]() -> Worker::Answer {
    const auto record = [&]() -> Status {
      CODEXOS_ASSIGN(const Roots roots,
                     json::decode<Roots>(row.layers_json, json::Unknown::ignore));
      CODEXOS_ASSIGN(ObjectStore objects, ObjectStore::open(files.objects()));
      CODEXOS_ASSIGN(Base base, record_base(roots.roots, objects));
      base.late = late;
      if (!same_boot) base.clock_us = 0;
      return write_base(files.base(), base);
    };
    // Without a base every path that may have been edited is a conflict: said, never lost.
    if (const auto s = record(); !s.ok() && s.error().code != Code::not_found)
      log_line(LogLevel::warning, "task " + row.task.id, "its base: " + s.error().message);
    return nullptr;
  });
}

/// An earlier daemon died between an end and its base, or did not know of bases.
void Supervisor::record_missing_bases() {
  const auto rows = p_.store.tasks_with_layers();
  if (!rows.ok()) {
    log_line(LogLevel::warning, "supervisor", rows.error().message);
    return;
  }
  for (const auto& row : *rows)
    if (access(paths(row).base().c_str(), F_OK) != 0) record_base_of(row, true);
}

/// Only while no shim serves the client: a start that failed.
void Supervisor::tell_client(Running& r) {
  if (!r.client) return;
  ExitFrame exit;
  exit.recorded = true;
  exit.note = r.end_note;
  exit.outcome.cause = find_enum<Cause>(r.row.task.cause).value_or(Cause::start_failed);
  exit.outcome.detail = r.row.task.detail;
  send_exit(r.client.get(), exit);
  r.client.reset();
}

/// The shim is gone and its mounts with it: what nobody needs can be removed.
void Supervisor::retire(const std::string& id) {
  Running* r = find_running(id);
  if (r == nullptr) return;
  if (r->helper && r->helper->pidfd) p_.loop.forget(r->helper->pidfd.get());
  const TaskRow row = std::move(r->row);
  p_.values.forget(id);
  if (r->in_cgroup) drop_cgroup(id);
  if (is_alone(row)) p_.worker.remove(private_dir(paths(row)));
  tasks_.erase(id);
  const bool empty = row.task.changes_state == "none" || row.task.changes_state == "direct";
  if (row.rm && (empty || row.task.changes_state == "applied")) {
    // In a later turn: who follows the task reads its end first.
    p_.loop.after_ms(0, "forget task", [this, row] {
      if (auto s = forget(row); !s.ok())
        log_line(LogLevel::warning, "task " + row.task.id, s.error().message);
    });
    return;
  }
  if (empty && works_on_copy(row))
    p_.worker.remove(paths(row).layers());
  else if (empty && row.task.mode == wire::WorkspaceMode::overlay)
    p_.spares.give_back(paths(row).layers());
  p_.spares.refill();
}

void Supervisor::arm_deadline(Running& r, int64_t delay_ms, Cause cause) {
  if (r.deadline != 0) p_.loop.cancel(r.deadline);
  r.deadline_at_us = monotonic_us() + delay_ms * 1000;
  const std::string id = r.row.task.id;
  r.deadline = p_.loop.after_ms(delay_ms, "deadline", [this, id, cause] {
    Running* x = find_running(id);
    if (x == nullptr) return;
    x->deadline = 0;
    if (!x->finished && !x->end_row) kill_shim(*x, cause);
  });
}

/// The shim did not do what it was told: its end is the end of everything in its pid namespace. The
/// keeper of a task without one is told to see to that itself.
void Supervisor::kill_shim(Running& r, Cause cause) {
  log_line(LogLevel::warning, "task " + r.row.task.id,
           "its sandbox does not answer and is killed: " + std::string(cause_row(cause).name));
  r.forced = cause;
  thaw_paused(r);
  if (r.helper && r.helper->pidfd) {
    const int signo = is_alone(r.row) ? SIGUSR1 : SIGKILL;
    (void)syscall(SYS_pidfd_send_signal, r.helper->pidfd.get(), signo, nullptr, 0);
    return;
  }
  r.helper.reset();  // a helper without a link ends
  r.link_closed = true;
  maybe_resolve(r);
}

}  // namespace codexos::daemon
