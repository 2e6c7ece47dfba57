// SPDX-License-Identifier: Apache-2.0
#include "daemon/tasks/applier.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/base/binary.h"
#include "core/base/clock.h"
#include "core/base/id.h"
#include "core/base/log.h"
#include "core/json/json.h"
#include "core/os/file.h"
#include "daemon/tasks/planner.h"

namespace codexos::daemon {
namespace {

constexpr size_t kMaxRecord = size_t{1} << 30;

/// The file of the journal: what is exchanged for what.
struct ApplyRecord {
  std::vector<Op> ops;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("ops", s.ops);
  }
};

Status write_ops(const std::string& path, const std::vector<Op>& ops) {
  const std::string dir = path.substr(0, path.rfind('/'));
  CODEXOS_TRY(make_dir(dir, 0700));
  const std::string made = path + ".new";
  CODEXOS_ASSIGN(const Fd fd, open_file(made, O_WRONLY | O_CREAT | O_TRUNC, 0600));
  CODEXOS_TRY(write_all(fd.get(), to_binary(ApplyRecord{ops})));
  if (rename(made.c_str(), path.c_str()) != 0) return errno_error("rename " + made, errno);
  // The images that it names, it, and its name.
  if (syncfs(fd.get()) != 0) return errno_error("sync " + path, errno);
  return {};
}

Result<std::vector<Op>> read_ops(const std::string& path) {
  CODEXOS_ASSIGN(const std::string bytes, read_file(path, kMaxRecord));
  CODEXOS_ASSIGN(ApplyRecord record, from_binary<ApplyRecord>(bytes));
  return std::move(record.ops);
}

Result<std::vector<Root>> roots_of(const TaskRow& row) {
  if (row.layers_json.empty()) return std::vector<Root>();
  CODEXOS_ASSIGN(Roots roots, json::decode<Roots>(row.layers_json, json::Unknown::ignore));
  return std::move(roots.roots);
}

wire::ApplyResult nothing_to_do(const TaskRow& row, std::string note) {
  wire::ApplyResult r;
  r.task = row.task.id;
  r.notes.push_back(std::move(note));
  return r;
}

/// What the workspace did not allow after all, as a conflict of that path.
wire::ApplyResult conflict_of(const Prepared& p, const std::vector<Root>& roots,
                              const ApplyRun& run, const Error& why) {
  wire::ApplyResult r = p.result;
  r.outcome = wire::ApplyOutcome::conflict;
  r.apply.clear();
  r.applied.clear();
  r.merged.clear();
  wire::PathNote note;
  note.why = why.message;
  if (run.failed() && *run.failed() < p.ops.size()) {
    const Op& op = p.ops[*run.failed()];
    note.path = path_text(op.path);
    note.root = roots.at(op.root).path;
    const std::string prefix = op.path + ": ";
    if (note.why.starts_with(prefix)) note.why = note.why.substr(prefix.size());
  }
  r.conflicts.push_back(std::move(note));
  for (const auto& left : run.left()) r.notes.push_back(path_text(left));
  return r;
}

}  // namespace

// --- requests
// -------------------------------------------------------------------------------------

void Applier::apply(const TaskRow& row, const wire::ApplyBody& body, OnResult done) {
  const auto& t = row.task;
  if (!is_terminal(t.state))
    return done(Error{Code::conflict, "task " + t.id + " is " + std::string(name_of(t.state)),
                      "codexos wait " + t.id});
  if (t.changes_state == "applied")
    return done(nothing_to_do(row, "the changes of task " + t.id + " were applied already"));
  if (t.changes_state == "continued")
    return done(Error{Code::conflict, "another task went on from the changes of " + t.id,
                      "apply that one: codexos ps"});
  if (t.changes_state == "undone" && body.paths.empty() && body.commit.empty())
    return undo(row, "", wire::UndoBody{body.dry_run, body.on_conflict}, std::move(done));
  if (t.changes_state != "waiting")
    return done(
        nothing_to_do(row, "task " + t.id + " has no changes that wait" +
                               (t.changes_state == "none" ? "" : " (" + t.changes_state + ")")));
  apply_at_end(row, body, std::move(done));
}

void Applier::apply_at_end(const TaskRow& row, const wire::ApplyBody& body, OnResult done) {
  auto request = make_request(row, body);
  if (!request.ok()) return done(std::move(request).error());
  auto job = std::make_shared<Job>();
  job->row = row;
  job->at_end = !is_terminal(row.task.state);
  job->roots = request->roots;
  job->apply = *std::move(request);
  job->done = std::move(done);
  add_knowledge(row, *job);
  add_earlier(row, *job);
  start(std::move(job));
}

Result<ApplyRequest> Applier::make_request(const TaskRow& row, const wire::ApplyBody& body) {
  ApplyRequest r;
  r.task = row.task.id;
  r.body = body;
  CODEXOS_ASSIGN(r.roots, roots_of(row));
  const auto stored = json::decode<StoredCreate>(row.create_json, json::Unknown::ignore);
  if (!stored.ok()) return stored.error();
  r.protect = stored->policy.rights.protect;
  return r;
}

/// When each task of the stack began, and where it is written what it found.
void Applier::add_knowledge(const TaskRow& row, Job& job) {
  std::optional<TaskRow> at = row;
  while (at && job.apply->tasks.count(at->task.id) == 0) {
    TaskKnowledge& k = job.apply->tasks[at->task.id];
    k.times.started_us = at->started_at_us;
    if (const auto roots = roots_of(*at); roots.ok())
      for (const Root& r : *roots) k.roots.push_back(r.path);
    job.known[at->task.id] = {paths(*at).base(), at->clock_start_us};
    const std::string from = at->task.from;
    at.reset();
    if (from.empty()) break;
    auto earlier = p_.store.load_task(from);
    if (earlier.ok()) at = *std::move(earlier);
  }
}

/// Applies of other tasks since the first of the stack began.
void Applier::add_earlier(const TaskRow& row, Job& job) {
  int64_t began_us = row.started_at_us;
  for (const auto& [id, k] : job.apply->tasks)
    if (k.times.started_us != 0) began_us = std::min(began_us, k.times.started_us);
  const auto rows = p_.store.journal().since(row.task.workspace, began_us);
  if (!rows.ok()) return;
  for (const ApplyRow& earlier : *rows) {
    const auto task = p_.store.load_task(earlier.task);
    if (!task.ok()) continue;
    auto roots = roots_of(*task);
    if (roots.ok())
      job.earlier.push_back(
          {record_path(paths(*task), earlier.id), *std::move(roots), earlier.done_at_us});
  }
}

void Applier::read_earlier(Job& job) {
  for (const EarlierApply& earlier : job.earlier) {
    auto ops = read_ops(earlier.record);
    if (!ops.ok()) continue;
    for (Op& op : *ops)
      if (op.root < earlier.roots.size())
        job.apply->replaced[{earlier.roots[op.root].path, op.path}].push_back(
            {earlier.at_us, std::move(op.pre)});
  }
}

/// In the worker. A base that was taken late says nothing about the task's end.
void Applier::read_bases(Job& job) {
  const int64_t clock_now = clock_offset_us();
  for (auto& [id, k] : job.apply->tasks) {
    const KnownTask& known = job.known[id];
    auto base = read_base(known.base);
    const bool ended = base.ok() && base->clock_us != 0;
    // Without a record the clock of now has to do: after another boot it says "stepped".
    const int64_t clock_end = ended ? base->clock_us : clock_now;
    k.times.step_us.reset();
    k.times.tick_us = file_tick_us();
    if (known.clock_start_us != 0 && k.times.started_us != 0)
      k.times.step_us = clock_end - known.clock_start_us;
    if (base.ok() && !base->late) k.base = *std::move(base);
  }
}

void Applier::undo(const TaskRow& row, const std::string& apply, const wire::UndoBody& body,
                   OnResult done) {
  auto found =
      apply.empty() ? p_.store.journal().last_of_task(row.task.id) : p_.store.journal().find(apply);
  if (!found.ok()) return done(std::move(found).error());
  if (!*found || (*found)->state != ApplyState::done)
    return done(Error{Code::conflict, "no changes of task " + row.task.id + " were applied",
                      "codexos diff " + row.task.id});
  auto roots = roots_of(row);
  if (!roots.ok()) return done(std::move(roots).error());
  auto ops = read_ops(record_path(paths(row), (*found)->id));
  if (!ops.ok()) return done(std::move(ops).error().during("read what was applied"));
  auto job = std::make_shared<Job>();
  job->row = row;
  job->roots = *roots;
  job->journal.kind = ApplyKind::undo;
  job->journal.undoes = (*found)->id;
  job->journal.whole = (*found)->whole;
  if (!(*found)->commit_json.empty()) {
    auto made = json::decode<CommitMade>((*found)->commit_json, json::Unknown::ignore);
    if (made.ok()) job->commit = *std::move(made);
  }
  job->undo = UndoRequest{row.task.id, *std::move(roots), *std::move(ops),
                          inodes_path(paths(row), (*found)->id), body};
  job->done = std::move(done);
  start(std::move(job));
}

bool Applier::is_busy(const std::string& task) const {
  return std::any_of(jobs_.begin(), jobs_.end(),
                     [&](const JobPtr& job) { return job->row.task.id == task; });
}

// --- one at a time
// --------------------------------------------------------------------------------

void Applier::start(JobPtr job) {
  job->journal.id = make_task_id();
  job->journal.task = job->row.task.id;
  job->journal.at_us = now_us();
  jobs_.push_back(std::move(job));
  run_next();
}

/// Begins what has no earlier one on the same folder before it.
void Applier::run_next() {
  std::set<std::string> taken;
  std::vector<JobPtr> begin;
  for (const JobPtr& job : jobs_) {
    const bool waits = std::any_of(job->roots.begin(), job->roots.end(),
                                   [&](const Root& r) { return taken.count(r.path) != 0; });
    for (const Root& r : job->roots) taken.insert(r.path);
    if (waits || job->running) continue;
    job->running = true;
    begin.push_back(job);
  }
  for (const JobPtr& job : begin) job->discard ? drop_paths(job) : prepare(job);
}

void Applier::finish(const JobPtr& job, Result<wire::ApplyResult> result) {
  jobs_.remove(job);
  job->done(std::move(result));
  run_next();
}

void Applier::work(const JobPtr& job, Status (Applier::*step)(Job&),
                   void (Applier::*then)(const JobPtr&, const Status&)) {
  worker_->submit([this, job, step, then]() -> Worker::Answer {
    Status status = (this->*step)(*job);
    return [this, job, then, status] { (this->*then)(job, status); };
  });
}

/// `then` when what was written is on disk.
void Applier::commit(const JobPtr& job, const Status& written, std::function<void()> then) {
  if (!written.ok()) return give_up(job, written);
  p_.after_commit.add(std::move(then), [this, job](const Error& why) { give_up(job, why); });
}

// --- the steps
// ------------------------------------------------------------------------------------

void Applier::prepare(const JobPtr& job) { work(job, &Applier::do_prepare, &Applier::on_prepared); }

Status Applier::do_prepare(Job& job) {
  if (job.apply) {
    read_bases(job);
    read_earlier(job);
  }
  auto prepared =
      job.apply ? prepare_apply(*job.apply, p_.images) : prepare_undo(*job.undo, p_.images);
  if (!prepared.ok()) return std::move(prepared).error();
  job.prepared = *std::move(prepared);
  return {};
}

void Applier::on_prepared(const JobPtr& job, const Status& status) {
  if (!status.ok()) return finish(job, status.error());
  auto& result = job->prepared.result;
  if (result.outcome != wire::ApplyOutcome::done || job->dry_run()) {
    // All that the task did is there already: it counts as applied.
    const bool over = job->apply && !job->dry_run() && !job->at_end && job->prepared.whole &&
                      result.outcome == wire::ApplyOutcome::nothing;
    if (over)
      if (auto s = set_changes_state(job->row.task.id, "applied"); !s.ok())
        return finish(job, std::move(s).error());
    return finish(job, std::move(result));
  }
  if (job->apply) job->journal.whole = job->prepared.whole;
  job->journal.paths = static_cast<int64_t>(job->prepared.ops.size());
  commit(job, p_.store.journal().insert(job->journal), [this, job] { stage(job); });
}

void Applier::stage(const JobPtr& job) { work(job, &Applier::do_stage, &Applier::on_staged); }

Status Applier::do_stage(Job& job) {
  auto run = ApplyRun::open(job.journal.id, job.roots, p_.images);
  if (!run.ok()) return std::move(run).error();
  job.run.emplace(*std::move(run));
  CODEXOS_TRY(
      job.run->stage(job.prepared.ops, open_contents(job.prepared, p_.images), [&job](size_t i) {
        const auto& contents = job.prepared.contents;
        return i < contents.size() ? contents[i].inode : std::string();
      }));
  CODEXOS_TRY(job.run->sync());
  return write_ops(record_path(paths(job.row), job.journal.id), job.prepared.ops);
}

void Applier::on_staged(const JobPtr& job, const Status& status) {
  if (!status.ok()) return give_up(job, status);
  job->journal.state = ApplyState::staged;
  commit(job, p_.store.journal().update(job->journal), [this, job] { swap(job); });
}

void Applier::swap(const JobPtr& job) { work(job, &Applier::do_swap, &Applier::on_swapped); }

Status Applier::do_swap(Job& job) {
  auto swapped = job.run->swap(job.prepared.ops);
  if (swapped.ok())
    job.run->keep_inodes(job.prepared.ops, inodes_path(paths(job.row), job.journal.id));
  if (swapped.ok()) do_commit(job);
  auto synced = job.run->sync();
  return swapped.ok() ? synced : swapped;
}

/// What goes wrong here is said; what was applied stays.
void Applier::do_commit(Job& job) {
  auto& notes = job.prepared.result.notes;
  if (job.apply && !job.apply->body.commit.empty()) {
    auto made = commit_applied(job.roots.front(), 0, job.prepared.ops, job.apply->body.commit);
    if (!made.ok()) {
      notes.push_back("not committed: " + made.error().message);
    } else if (made->id.empty()) {
      notes.push_back("nothing to commit: git ignores what was applied");
    } else {
      job.commit = *std::move(made);
      job.prepared.result.commit = job.commit.id;
    }
  }
  if (!job.undo || job.commit.id.empty()) return;
  const auto back = take_commit_back(job.roots.front(), 0, job.prepared.ops, job.commit);
  if (!back.ok())
    notes.push_back("commit " + job.commit.id + " stays: " + back.error().message);
  else if (!*back)
    notes.push_back("commit " + job.commit.id + " stays: " + job.commit.ref + " went on");
}

void Applier::on_swapped(const JobPtr& job, const Status& status) {
  if (!status.ok()) return give_up(job, status);
  job->prepared.result.apply = job->journal.id;
  const auto written = write_done(*job);
  if (!written.ok()) {
    // It is done and `staged` says enough: the next daemon finds it finished and writes this.
    log_line(LogLevel::error, "apply " + job->journal.id, written.error().message);
    return finish(job, written.error());
  }
  p_.after_commit.add(
      [this, job] { clean(job, [this, job] { finish(job, std::move(job->prepared.result)); }); },
      [this, job](const Error& why) { finish(job, why); });
}

Status Applier::write_done(Job& job) {
  job.journal.state = ApplyState::done;
  job.journal.done_at_us = now_us();
  if (job.apply && !job.commit.id.empty()) job.journal.commit_json = json::encode(job.commit);
  CODEXOS_TRY(p_.store.journal().update(job.journal));
  CODEXOS_ASSIGN(const bool applied, leaves_applied(job.journal));
  // At a task's end its row is written with the end.
  if (!job.at_end) {
    const bool whole = job.journal.whole;
    // Retention takes the layers of what was applied: then only the journal can bring it back.
    const bool has_layers = access(paths(job.row).layers().c_str(), F_OK) == 0;
    CODEXOS_TRY(set_changes_state(job.row.task.id, applied && (whole || !has_layers) ? "applied"
                                                   : has_layers                      ? "waiting"
                                                                                     : "undone"));
  }
  return add_event(job.row, applied ? wire::EventType::task_applied : wire::EventType::task_undone,
                   [&job](wire::Event& e) {
                     e.apply = job.journal.id;
                     e.paths = job.journal.paths;
                   });
}

/// Whether the task's changes are in the workspace after it: an undo of an undo brings them back.
Result<bool> Applier::leaves_applied(const ApplyRow& row) {
  bool applied = true;
  ApplyRow at = row;
  while (at.kind == ApplyKind::undo) {
    applied = !applied;
    CODEXOS_ASSIGN(const auto earlier, p_.store.journal().find(at.undoes));
    if (!earlier) break;
    at = *earlier;
  }
  return applied;
}

Status Applier::set_changes_state(const std::string& task, const std::string& state) {
  CODEXOS_ASSIGN(TaskRow row, p_.store.load_task(task));
  if (row.task.changes_state == state) return {};
  // A task that went on from it meanwhile decides about the changes now.
  if (row.task.changes_state == "continued" && state != "waiting") return {};
  row.task.changes_state = state;
  p_.feed.mark(task);
  return p_.store.update_task(row);
}

/// Staging folders go; what is there to remove is ours, or kept as image.
void Applier::clean(const JobPtr& job, std::function<void()> then) {
  worker_->submit([this, job, then]() -> Worker::Answer {
    if (job->run) job->run->clean();
    return [this, job, then] {
      job->journal.staging = false;
      if (auto s = p_.store.journal().update(job->journal); !s.ok())
        log_line(LogLevel::warning, "apply " + job->journal.id, s.error().message);
      then();
    };
  });
}

/// It did not work, and nothing of it is in the workspace.
void Applier::give_up(const JobPtr& job, const Status& why) {
  const bool began = job->journal.state == ApplyState::staged;
  Result<wire::ApplyResult> answer = why.error();
  if (why.error().code == Code::conflict && job->run)
    answer = conflict_of(job->prepared, job->roots, *job->run, why.error());
  job->journal.state = ApplyState::reverted;
  job->journal.done_at_us = now_us();
  if (began && job->run && job->run->holds_old(job->prepared.ops)) {
    // Something of the user's could not be put back: it stays where it is, and is named.
    job->journal.staging = false;
    if (auto s = p_.store.journal().update(job->journal); !s.ok())
      log_line(LogLevel::error, "apply " + job->journal.id, s.error().message);
    return finish(job, std::move(answer));
  }
  auto shared = std::make_shared<Result<wire::ApplyResult>>(std::move(answer));
  clean(job, [this, job, shared] { finish(job, std::move(*shared)); });
}

Status Applier::add_event(const TaskRow& row, wire::EventType type,
                          const std::function<void(wire::Event&)>& fill) {
  wire::Event e;
  e.ts = format_time(now_us());
  e.task = row.task.id;
  e.type = type;
  e.state = row.task.state;
  if (fill) fill(e);
  p_.feed.mark(row.task.id);
  return p_.store.append_event(e);
}

// --- after a crash
// --------------------------------------------------------------------------------

Status Applier::recover() {
  CODEXOS_ASSIGN(const auto rows, p_.store.journal().unfinished());
  for (const ApplyRow& row : rows) {
    const auto recovered = recover_one(row);
    if (!recovered.ok())
      log_line(LogLevel::error, "apply " + row.id, "not recovered: " + recovered.error().message);
  }
  return {};
}

Status Applier::recover_one(ApplyRow row) {
  CODEXOS_ASSIGN(const TaskRow task, p_.store.load_task(row.task));
  CODEXOS_ASSIGN(const auto roots, roots_of(task));
  Job job;
  job.row = task;
  job.roots = roots;
  job.at_end = !is_terminal(task.task.state);
  job.journal = row;
  bool keep_staging = false;
  if (row.state == ApplyState::staged) {
    CODEXOS_ASSIGN(job.prepared.ops, read_ops(record_path(paths(task), row.id)));
    CODEXOS_ASSIGN(auto run, ApplyRun::open(row.id, roots, p_.images));
    job.run.emplace(std::move(run));
    const auto swapped = do_swap(job);
    if (swapped.ok()) {
      CODEXOS_TRY(write_done(job));
    } else {
      job.journal.state = ApplyState::reverted;
      keep_staging = job.run->holds_old(job.prepared.ops);
      CODEXOS_TRY(add_event(task, wire::EventType::task_apply_reverted, [&](wire::Event& e) {
        e.apply = row.id;
        e.detail = path_text(swapped.error().message);
      }));
      for (const auto& left : job.run->left())
        log_line(LogLevel::warning, "apply " + row.id, path_text(left));
    }
  } else if (row.state == ApplyState::planned) {
    job.journal.state = ApplyState::reverted;
  }
  job.journal.staging = true;
  CODEXOS_TRY(p_.store.journal().update(job.journal));
  CODEXOS_TRY(p_.store.commit());
  if (!keep_staging) remove_staging(row.id, roots);
  job.journal.staging = false;
  log_line(LogLevel::info, "apply " + row.id,
           "left by an earlier daemon: " + std::string(name_of(job.journal.state)));
  return p_.store.journal().update(job.journal);
}

}  // namespace codexos::daemon
