// SPDX-License-Identifier: Apache-2.0
// Throwing changes away: all of a task, which are its layers, or those of some paths, which are
// taken out of its own layer (daemon/workspace/discard.h) in the queue of the applies.
#include <algorithm>

#include "core/json/json.h"
#include "daemon/tasks/applier.h"
#include "daemon/workspace/discard.h"

namespace codexos::daemon {
namespace {

constexpr size_t kDiscardCountLimit = 2000;  // entries of the walk that counts what is left

}  // namespace

void Applier::discard(const TaskRow& row, const wire::DiscardBody& body, OnTask done) {
  const auto& t = row.task;
  if (!is_terminal(t.state))
    return done(Error{Code::conflict, "task " + t.id + " is " + std::string(name_of(t.state)),
                      "codexos stop " + t.id});
  if (is_busy(t.id))
    return done(Error{Code::conflict, "the changes of task " + t.id + " are being applied", {}});
  if (t.changes_state == "continued")
    return done(Error{Code::conflict, "another task went on from the changes of " + t.id,
                      "discard that one first: codexos ps"});
  if (t.changes_state == "applied")
    return done(Error{Code::conflict, "the changes of task " + t.id + " were applied",
                      "codexos undo " + t.id});
  wire::Task out = t;
  if (t.changes_state != "waiting") {
    out.notes.push_back("no changes waited");
    return done(out);
  }
  if (!body.paths.empty()) return discard_some(row, body, std::move(done));
  out.changes_state = "discarded";
  const auto write = [&]() -> Status {
    CODEXOS_TRY(write_discarded(row));
    return add_event(row, wire::EventType::task_discarded, nullptr);
  };
  if (auto s = write(); !s.ok()) return done(std::move(s).error());
  p_.after_commit.add(
      [this, dir = paths(row).layers(), out, done] {
        worker_->remove(dir);
        done(out);
      },
      [done](const Error& why) { done(why); });
}

/// Nothing of it is left.
Status Applier::write_discarded(const TaskRow& row) {
  CODEXOS_TRY(set_changes_state(row.task.id, "discarded"));
  // What it started from is the newest state of the workspace again.
  if (row.task.from.empty()) return {};
  const auto from = p_.store.load_task(row.task.from);
  if (from.ok() && from->task.changes_state == "continued")
    return set_changes_state(row.task.from, "waiting");
  return {};
}

void Applier::discard_some(const TaskRow& row, const wire::DiscardBody& body, OnTask done) {
  auto roots = json::decode<Roots>(row.layers_json, json::Unknown::ignore);
  if (!roots.ok()) return done(std::move(roots).error());
  auto job = std::make_shared<Job>();
  job->row = row;
  job->roots = std::move(roots->roots);
  job->discard = body;
  job->done = [this, id = row.task.id, done](const Result<wire::ApplyResult>& r) {
    if (!r.ok()) return done(r.error());
    auto now = p_.store.load_task(id);
    if (!now.ok()) return done(std::move(now).error());
    done(std::move(now->task));
  };
  start(std::move(job));
}

void Applier::drop_paths(const JobPtr& job) {
  const auto now = p_.store.load_task(job->row.task.id);
  if (!now.ok()) return finish(job, now.error());
  if (now->task.changes_state != "waiting")
    return finish(job, Error{Code::conflict,
                             "the changes of task " + now->task.id + " do not wait any more (" +
                                 now->task.changes_state + ")",
                             {}});
  work(job, &Applier::do_drop, &Applier::on_dropped);
}

Status Applier::do_drop(Job& job) {
  CODEXOS_ASSIGN(job.discarded, discard_paths(job.roots, job.discard->paths));
  CODEXOS_ASSIGN(job.count, count_changes(job.roots, kDiscardCountLimit));
  return {};
}

void Applier::on_dropped(const JobPtr& job, const Status& status) {
  if (!status.ok()) return finish(job, status.error());
  const wire::ChangeCount& left = job->count;
  const bool nothing = left.added + left.modified + left.deleted == 0 && !left.more;
  const auto write = [&]() -> Status {
    CODEXOS_ASSIGN(TaskRow row, p_.store.load_task(job->row.task.id));
    row.task.changes = left;
    CODEXOS_TRY(p_.store.update_task(row));
    if (nothing) CODEXOS_TRY(write_discarded(row));
    return add_event(row, wire::EventType::task_discarded,
                     [&](wire::Event& e) { e.paths = static_cast<int64_t>(job->discarded); });
  };
  if (auto s = write(); !s.ok()) return finish(job, std::move(s).error());
  p_.after_commit.add(
      [this, job, nothing] {
        if (nothing) worker_->remove(paths(job->row).layers());
        finish(job, wire::ApplyResult{});
      },
      [this, job](const Error& why) { finish(job, why); });
}

bool Applier::is_discarding(const std::string& task) const {
  return std::any_of(jobs_.begin(), jobs_.end(),
                     [&](const JobPtr& job) { return job->discard && job->row.task.id == task; });
}

}  // namespace codexos::daemon
