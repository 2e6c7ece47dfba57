// SPDX-License-Identifier: Apache-2.0
// Starts tasks, hears what their shims say, and records their ends. Owns every unfinished task.
//
// The order of a start: the job goes to a helper, which prepares while the task's row, with state
// `starting`, waits for the turn's commit; GO follows the commit. The order of an end: the shim's
// record, its `ended`, our commit, end_ack, the client's exit frame. Both reports of one short task
// can share a commit: `started` is kept in memory for up to 10 ms, or until the next write or read.
//
// An end is believed from the shim's `ended`, or from its record once its link is closed and its
// process is gone. Nothing else ends a task, and task.ended is written once (a unique index holds
// that too).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/fd.h"
#include "core/base/frames.h"
#include "core/os/loop.h"
#include "core/wire/daemon.h"
#include "core/wire/event.h"
#include "core/wire/task.h"
#include "daemon/sandbox/helpers.h"
#include "daemon/sandbox/launcher.h"
#include "daemon/store/store.h"
#include "daemon/tasks/after_commit.h"
#include "daemon/tasks/feed.h"
#include "daemon/tasks/planner.h"
#include "daemon/tasks/spare_folders.h"
#include "daemon/tasks/task_files.h"
#include "daemon/tasks/task_state.h"
#include "daemon/tasks/worker.h"
#include "daemon/workspace/diff.h"
#include "daemon/workspace/patch.h"

namespace codexos::daemon {

/// Everything a supervisor works with; all of it outlives it.
struct SupervisorParts {
  Loop& loop;
  Store& store;
  Planner& planner;
  Launcher& launcher;
  Helpers& helpers;
  Feed& feed;
  AfterCommit& after_commit;
  Worker& worker;
  SpareFolders& spares;
  std::string home;
  std::string boot_id;
};

struct StartRequest {
  wire::TaskCreate create;
  uint32_t uid = 0;
  uint32_t gid = 0;
  std::string tenant = "default";
  std::string idempotency_key;  // empty: none
  std::string request_hash;
  Fd client;     // the connection that becomes the first client's, or none
  Fd stdout_fd;  // with stdout_mode passed
  Fd stderr_fd;
};

/// Why a start was refused before there was a task. `cause` tells run's callers more than the code.
struct Refusal {
  Error error;
  Cause cause = Cause::start_failed;
};

class Supervisor {
 public:
  using OnTask = std::function<void(Result<wire::Task>)>;

  explicit Supervisor(SupervisorParts parts) : p_(std::move(parts)) {}
  ~Supervisor();

  /// Takes back what an earlier daemon left: adopts living tasks, records the ends of dead ones.
  Status recover();
  /// Parks helpers for the caller of the last task, who will probably start the next.
  void park_ahead();

  /// Begins a task; it runs after the turn's commit. `repeated`: the idempotency key named a task
  /// that exists already, nothing was started and request's descriptors are unused.
  struct Begun {
    wire::Task task;
    bool repeated = false;
  };
  std::optional<Refusal> start(StartRequest request, Begun& begun);
  Result<wire::PlanView> plan(const StartRequest& request);

  /// Id, unique prefix or name. What is known now, also of a start that is not written yet.
  Result<TaskRow> find(const std::string& name_or_prefix);
  /// Writes what is kept in memory, so that the store can be read.
  void settle();
  /// Called by turn_end before the commit: lets small writes ride on a commit that happens anyway.
  void before_commit();

  /// TERM, after the grace KILL; `done` is called when the task has ended. An ended task is fine.
  void stop(const std::string& id, const wire::StopBody& body, OnTask done);
  /// KILL ends the task; another signal goes to its program, and `done` is called at once.
  void kill(const std::string& id, const wire::StopBody& body, OnTask done);
  void pause(const std::string& id, OnTask done);
  void resume(const std::string& id, OnTask done);
  /// Whether clients can be attached now. Error conflict: it has ended.
  Status can_attach(const std::string& id);
  /// One more client; the connection's 101 reply was sent.
  void attach(const std::string& id, const AttachClient& how, Fd connection);
  /// One more program: checks it and records it. Returns the session's number.
  Result<uint64_t> exec(const std::string& id, const wire::ExecCreate& request);
  /// Starts it; `fds` are the client's connection and what it passes of stdout and stderr.
  void send_exec(const std::string& id, uint64_t exec_id, std::vector<Fd> fds);
  /// Runs `fn` after the turn's commit.
  void after_commit(std::function<void()> fn) { p_.after_commit.add(std::move(fn)); }
  /// Forgets a task. A running one is a conflict without `force`.
  void remove(const std::string& id, bool force, OnTask done);
  void prune(const wire::PruneBody& body, std::function<void(Result<wire::PruneResult>)> done);
  /// What a task changed. Nothing, when its changes do not wait any more. Read by the worker.
  void changes(const std::string& id, DiffOptions o,
               std::function<void(Result<wire::ChangeList>)> done);
  using PatchPtr = std::shared_ptr<PatchStream>;  // in the worker or in the loop, never in both
  void patch(const std::string& id, DiffOptions o, std::function<void(Result<PatchPtr>)> done);
  /// The next piece of it, of about `least` bytes; empty: the end.
  void patch_piece(const PatchPtr& patch, size_t least, std::function<void(std::string)> done);

  size_t running() const;
  /// Tasks whose sandbox may still be there: what they are stacked on must stay.
  std::vector<std::string> live_tasks() const;
  /// Whether something works on the task's layers now.
  bool uses_layers(const std::string& id) const { return tasks_.count(id) != 0; }
  TaskPaths paths(const TaskRow& row) const { return {p_.home, row.tenant, row.task.id}; }

 private:
  struct Running {
    TaskRow row;
    std::unique_ptr<Helper> helper;  // null: no link (not adopted yet, or lost)
    Fd client;                       // a duplicate until the shim serves it: for a failed start
    bool committed = false;          // the row is on disk
    bool counted = false;            // helpers know that a start is under way
    bool started = false;
    bool unwritten = false;  // `started` is in row but not in the store
    bool finished = false;   // task.ended is written
    bool link_closed = false;
    bool process_gone = false;
    bool recovered = false;          // left by an earlier daemon
    Cause forced = Cause::none;      // we killed the shim: why
    std::optional<TaskRow> end_row;  // the row with its end, until that is committed
    std::string end_note;
    std::vector<OnTask> on_end;
    std::vector<OnTask> on_pause;
    std::map<uint64_t, ExecRequest> execs;  // recorded, not yet sent
    uint64_t next_exec = 1;
    Loop::TimerId deadline = 0;
    Loop::TimerId pause_timer = 0;
    int64_t deadline_at_us = 0;
    int64_t paused_at_us = 0;
  };

  // start
  std::optional<Refusal> launch(StartRequest& request, Start& start, TaskRow row, Begun& begun);
  Status record_start(const StartRequest& request, const Start& start, const TaskRow& row);
  TaskRow make_row(const StartRequest& request, const Start& start, const std::string& id) const;
  void go(const std::string& id, const std::string& waiting);
  void abandon(const std::string& id);
  void listen(Running& r);
  void watch_process(Running& r);

  // what shims say
  void on_message(const std::string& id, LinkMessage& m);
  void on_pid(Running& r, LinkMessage& m);
  void on_started(Running& r, LinkMessage& m);
  void on_failed(Running& r, LinkMessage& m);
  void on_ended(Running& r, LinkMessage& m);
  void on_state(Running& r, LinkMessage& m);
  void on_paused(Running& r, LinkMessage& m);
  void on_owner(Running& r, LinkMessage& m);
  void on_exec_ended(Running& r, LinkMessage& m);
  void on_link_closed(const std::string& id);
  void on_process_gone(const std::string& id);

  // ends
  void maybe_resolve(Running& r);
  void resolve_end(Running& r);
  void finish(const std::string& id, const Ended& end);
  Status write_end(Running& r, const Ended& end);
  Status give_back_from(const TaskRow& row);
  void count_changes_of(TaskRow& row, bool started, std::string& note) const;
  void after_end(const std::string& id);
  /// Has the worker write down what the real folders have now (daemon/workspace/base.h). Nothing
  /// waits for it.
  void record_base_of(const TaskRow& row, bool late);
  void record_missing_bases();
  void end_not_written(const std::string& id, const Ended& end, bool unwritten, const Error& why);
  void tell_client(Running& r);
  void retire(const std::string& id);
  void start_is_over(Running& r);
  void arm_deadline(Running& r, int64_t delay_ms, Cause cause);
  void kill_shim(Running& r, Cause cause);

  // recovery
  void recover_one(const std::string& id);
  Status adopt(Running& r);

  void ask_pause(const std::string& id, TaskInput input, TaskState wanted, LinkType order,
                 OnTask done);
  void write_started(Running& r);
  Status add_event(const TaskRow& row, wire::EventType type,
                   const std::function<void(wire::Event&)>& fill = nullptr);
  Status change_state(Running& r, TaskInput input, wire::EventType type, const std::string& detail);
  Running* find_running(const std::string& id);
  /// The running task, or `done` was answered (ended, unknown, no link).
  Running* controllable(const std::string& id, const OnTask& done);
  Result<std::vector<std::string>> based_on_by(const TaskRow& row);
  Status forget(const TaskRow& row);
  /// The roots whose layers hold changes that wait (or are still made); none: there are none.
  Result<std::vector<Root>> changed_roots(const TaskRow& row) const;

  SupervisorParts p_;
  std::map<std::string, std::unique_ptr<Running>> tasks_;
  Loop::TimerId write_timer_ = 0;
};

}  // namespace codexos::daemon
