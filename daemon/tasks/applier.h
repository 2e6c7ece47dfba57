// SPDX-License-Identifier: Apache-2.0
// Applies, undos and discards: the flow between the loop, which owns the journal, and a worker of
// its own, which does the work (daemon/workspace/apply_*.h). One at a time on each folder; another
// one waits.
//
//   prepare (worker) -> row `planned`, commit -> stage (worker) -> row `staged`, commit
//     -> swap (worker) -> row `done`, commit -> staging folders go (worker) -> answer
//
// Whatever kills the daemon, recover() of the next one finds the row: before `staged` nothing was
// changed and the staging folders go; from there on swap() finishes the work, or takes it back.
#pragma once

#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "core/base/error.h"
#include "core/os/loop.h"
#include "core/wire/apply.h"
#include "core/wire/event.h"
#include "daemon/store/store.h"
#include "daemon/tasks/after_commit.h"
#include "daemon/tasks/feed.h"
#include "daemon/tasks/task_files.h"
#include "daemon/tasks/worker.h"
#include "daemon/workspace/apply_prepare.h"
#include "daemon/workspace/commit.h"

namespace codexos::daemon {

/// Everything an applier works with; all of it outlives it.
struct ApplierParts {
  Store& store;
  Feed& feed;
  AfterCommit& after_commit;
  Images& images;
  std::string home;
};

class Applier {
 public:
  using OnResult = std::function<void(Result<wire::ApplyResult>)>;
  using OnTask = std::function<void(Result<wire::Task>)>;

  Applier(ApplierParts parts, std::unique_ptr<Worker> worker)
      : p_(std::move(parts)), worker_(std::move(worker)) {}

  /// Finishes or takes back what an earlier daemon left. Before anything else is served.
  Status recover();

  /// Of an ended task.
  void apply(const TaskRow& row, const wire::ApplyBody& body, OnResult done);
  /// The same for one whose end is not written yet: everything in it is dead.
  void apply_at_end(const TaskRow& row, const wire::ApplyBody& body, OnResult done);
  /// Undoes the newest apply (or undo) of the task, or the one with this id.
  void undo(const TaskRow& row, const std::string& apply, const wire::UndoBody& body,
            OnResult done);
  void discard(const TaskRow& row, const wire::DiscardBody& body, OnTask done);
  /// Whether something of this task is being applied: its layers are in use.
  bool is_busy(const std::string& task) const;
  /// Whether its layers are being written to: nothing may start from them now.
  bool is_discarding(const std::string& task) const;

 private:
  /// Where a task's base is, and by how much the wall clock was ahead when it began.
  struct KnownTask {
    std::string base;
    int64_t clock_start_us = 0;
  };
  struct EarlierApply {
    std::string record;
    std::vector<Root> roots;
    int64_t at_us = 0;
  };
  struct Job {
    TaskRow row;
    ApplyRow journal;
    std::vector<Root> roots;
    std::optional<ApplyRequest> apply;
    std::optional<UndoRequest> undo;
    std::optional<wire::DiscardBody> discard;  // of paths
    uint64_t discarded = 0;
    wire::ChangeCount count;  // of what is left after it
    OnResult done;
    std::map<std::string, KnownTask> known;  // of apply: by task
    std::vector<EarlierApply> earlier;       // on the same workspace, while its tasks ran
    bool at_end = false;
    bool running = false;
    Prepared prepared;
    std::optional<ApplyRun> run;
    CommitMade commit;  // of undo: the one to take back
    bool dry_run() const { return apply ? apply->body.dry_run : undo->body.dry_run; }
  };
  using JobPtr = std::shared_ptr<Job>;

  void start(JobPtr job);
  void run_next();
  void finish(const JobPtr& job, Result<wire::ApplyResult> result);
  void discard_some(const TaskRow& row, const wire::DiscardBody& body, OnTask done);
  void drop_paths(const JobPtr& job);
  void on_dropped(const JobPtr& job, const Status& status);
  void prepare(const JobPtr& job);
  void on_prepared(const JobPtr& job, const Status& status);
  void stage(const JobPtr& job);
  void on_staged(const JobPtr& job, const Status& status);
  void swap(const JobPtr& job);
  void on_swapped(const JobPtr& job, const Status& status);
  void clean(const JobPtr& job, std::function<void()> then);
  void give_up(const JobPtr& job, const Status& why);
  /// In the worker, then back in the loop.
  void work(const JobPtr& job, Status (Applier::*step)(Job&),
            void (Applier::*then)(const JobPtr&, const Status&));
  void commit(const JobPtr& job, const Status& written, std::function<void()> then);

  Status do_drop(Job& job);
  Status do_prepare(Job& job);
  Status do_stage(Job& job);
  Status do_swap(Job& job);
  static void do_commit(Job& job);

  Result<ApplyRequest> make_request(const TaskRow& row, const wire::ApplyBody& body);
  void add_knowledge(const TaskRow& row, Job& job);
  void add_earlier(const TaskRow& row, Job& job);
  static void read_bases(Job& job);
  static void read_earlier(Job& job);
  Status write_done(Job& job);
  Status recover_one(ApplyRow row);
  Result<bool> leaves_applied(const ApplyRow& row);
  Status write_discarded(const TaskRow& row);
  Status set_changes_state(const std::string& task, const std::string& state);
  Status add_event(const TaskRow& row, wire::EventType type,
                   const std::function<void(wire::Event&)>& fill);
  TaskPaths paths(const TaskRow& row) const { return {p_.home, row.tenant, row.task.id}; }
  static std::string record_path(const TaskPaths& paths, const std::string& apply) {
    return paths.dir + "/applies/" + apply;
  }
  static std::string inodes_path(const TaskPaths& paths, const std::string& apply) {
    return record_path(paths, apply) + ".inodes";
  }

  ApplierParts p_;
  std::list<JobPtr> jobs_;          // in the order of their arrival
  std::unique_ptr<Worker> worker_;  // last: what runs in it uses the rest
};

}  // namespace codexos::daemon
