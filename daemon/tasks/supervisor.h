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

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/fd.h"
#include "core/base/frames.h"
#include "core/os/loop.h"
#include "core/wire/apply.h"
#include "core/wire/daemon.h"
#include "core/wire/event.h"
#include "core/wire/net.h"
#include "core/wire/task.h"
#include "daemon/gateway/ledger.h"
#include "daemon/sandbox/helpers.h"
#include "daemon/sandbox/launcher.h"
#include "daemon/store/store.h"
#include "daemon/tasks/after_commit.h"
#include "daemon/tasks/agent_watch.h"
#include "daemon/tasks/ahead.h"
#include "daemon/tasks/feed.h"
#include "daemon/tasks/planner.h"
#include "daemon/tasks/spare_folders.h"
#include "daemon/tasks/task_files.h"
#include "daemon/tasks/task_network.h"
#include "daemon/tasks/task_state.h"
#include "daemon/tasks/worker.h"
#include "daemon/trust/trust_store.h"
#include "daemon/workspace/diff.h"
#include "daemon/workspace/patch.h"

namespace codexos::daemon {

class Applier;

/// Everything a supervisor works with; all of it outlives it.
class Budgets;
class KnownValues;
class Vault;

struct SupervisorParts {
  Loop& loop;
  Store& store;
  Planner& planner;
  Launcher& launcher;
  Helpers& helpers;
  Feed& feed;
  AfterCommit& after_commit;
  Worker& worker;
  Worker& copier;  // for what takes long: a start may wait behind another's copy, nothing else does
  SpareFolders& spares;
  Ahead& ahead;
  Applier& applier;
  TaskNetwork& network;
  Cgroups& cgroups;
  Vault& vault;
  KnownValues& values;
  Budgets& budgets;
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
  std::vector<std::string> pass;  // variables that the request has to carry (wire::Problem::pass)
};

class Supervisor {
 public:
  using OnTask = std::function<void(Result<wire::Task>)>;

  explicit Supervisor(SupervisorParts parts) : p_(std::move(parts)) {
    p_.network.on_report(
        [this](const std::string& id, const NetReport& report) { on_net_report(id, report); });
    p_.network.on_dial([this](const std::string& id, uint64_t number, int32_t port) {
      dial_inside(id, number, port);
    });
  }
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
  std::optional<Refusal> plan(StartRequest request, wire::PlanView& out);

  /// Id, unique prefix or name. What is known now, also of a start that is not written yet.
  Result<TaskRow> find(const std::string& name_or_prefix);
  /// Writes what is kept in memory, so that the store can be read.
  void settle();
  /// Called by turn_end before the commit: lets small writes ride on a commit that happens anyway.
  void before_commit();

  /// Calls `fn` once the task takes orders: at once, or, while it is being taken over from an
  /// earlier daemon, when that is done or takes too long (the order then says so).
  void when_reachable(const std::string& name_or_prefix, std::function<void()> fn);
  /// TERM, after the grace KILL; `done` is called when the task has ended. An ended task is fine.
  void stop(const std::string& id, const wire::StopBody& body, OnTask done);
  /// KILL ends the task; another signal goes to its program, and `done` is called at once.
  void kill(const std::string& id, const wire::StopBody& body, OnTask done);
  void pause(const std::string& id, OnTask done);
  void resume(const std::string& id, OnTask done);
  /// What it uses now; of an ended task, what it used.
  using OnStats = std::function<void(Result<wire::TaskStats>)>;
  void stats(const std::string& id, OnStats done);
  /// Other rules for what it may reach, from the turn's commit on.
  void change_network(const std::string& id, const wire::NetBody& body, OnTask done);
  /// What a request of the task to a model may use; `done` comes when that is on the disk. Error
  /// exhausted: a budget is used up.
  void reserve_model(const std::string& task, const Charge& asked,
                     std::function<void(Result<Grant>)> done);
  void settle_model(uint64_t id, const ModelUsage& usage);
  /// `settle` calls settle_model() for all that is known by then: before a task's end is written.
  void settles_models(std::function<void()> settle) { settle_models_ = std::move(settle); }
  /// The egress gets the secrets of all running tasks as the vault has them now. While that is
  /// locked, nobody here knows what tasks were given.
  void secrets_changed();
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

  /// The processes that tasks without namespaces descend from (daemon/exec/landlock_task.h).
  std::vector<pid_t> keepers() const;
  size_t running() const;
  /// Tasks whose sandbox may still be there: what they are stacked on must stay.
  std::vector<std::string> live_tasks() const;
  /// Whether something works on the task's layers now.
  bool uses_layers(const std::string& id) const;
  /// Whether an ended task's layers are being applied, or given other content.
  bool rewrites_layers(const std::string& id) const;
  /// Nobody may start from an ended task, or remove it, until it is let go.
  void hold(const std::string& id) { held_.insert(id); }
  void let_go(const std::string& id) { held_.erase(id); }
  /// Tasks that still need what lies below `folder`: they run, or their changes wait.
  Result<std::vector<std::string>> stacked_on(const std::string& folder);
  /// The pid of a running task's process 1; 0: it is starting, ending or being taken over.
  pid_t shim_of(const std::string& id);
  /// Tasks whose program neither runs nor has failed to, though their start was accepted.
  size_t starting() const;
  /// What a task's own cgroup is called, where it has one.
  std::string cgroup_of(const std::string& id) const { return task_cgroup_name(p_.home, id); }
  TaskPaths paths(const TaskRow& row) const { return {p_.home, row.tenant, row.task.id}; }

 private:
  /// What a second helper would need: kept until the program runs.
  struct Again {
    ViewRequest request;
    Job job;
    std::vector<Fd> fds;
  };
  struct Running {
    TaskRow row;
    // Of the request, which row has as JSON.
    uint64_t timeout_ms = 0;
    wire::ApplyWhen apply = wire::ApplyWhen::never;
    bool learns = false;
    std::vector<GivenPlaceholder> placeholders;
    std::map<std::string, Secret> keys;  // of those, by placeholder: callers' own
    std::vector<std::string> login_hosts;
    SshAccessPtr ssh;         // null: none of the user's keys
    uint32_t uid = 0;         // who asked for it
    std::string over_budget;  // why a request to a model was refused; empty: none was
    size_t budget_refusals = 0;
    std::unique_ptr<Helper> helper;  // null: no link (not adopted yet, or lost)
    Fd client;                       // a duplicate until the shim serves it: for a failed start
    std::unique_ptr<Again> again;    // null: it runs, or a second helper was tried
    bool committed = false;          // the row is on disk
    bool counted = false;            // helpers know that a start is under way
    bool started = false;
    bool unwritten = false;  // `started` is in row but not in the store
    bool finished = false;   // task.ended is written
    bool link_closed = false;
    bool process_gone = false;
    bool recovered = false;          // left by an earlier daemon
    bool adopting = false;           // its shim was greeted and has not told its state yet
    Cause forced = Cause::none;      // we killed the shim: why
    std::optional<TaskRow> end_row;  // the row with its end, until that is committed
    bool applying = false;           // --apply: the end is written after it
    bool apply_tried = false;
    std::optional<wire::ChangeCount> applied;  // it worked: this much
    std::string end_note;
    std::string on_failure;                    // joins end_note when the program fails
    std::string unused_hint;                   // so does this, until a placeholder was of use
    std::unique_ptr<AgentWatch> watch;         // its output is an agent's, and told as events
    std::map<std::string, std::string> exits;  // what its agent's exit codes mean
    std::vector<OnTask> on_end;
    std::vector<OnTask> on_pause;
    std::vector<std::function<void()>> on_reachable;
    Loop::TimerId reach_timer = 0;
    std::map<uint64_t, ExecRequest> execs;  // recorded, not yet sent
    uint64_t next_exec = 1;
    Loop::TimerId deadline = 0;
    Loop::TimerId pause_timer = 0;
    int64_t deadline_at_us = 0;
    int64_t paused_at_us = 0;
    // Changes held back in a copy: made before GO, settled before the end is written.
    bool copied = false;
    bool settling = false;
    bool settled = false;
    bool unsettled = false;  // it could not be: what the copy holds is kept
    std::shared_ptr<std::atomic<bool>> stop_copy;
    bool network_ending = false;
    // Limits.
    bool in_cgroup = false;
    std::vector<std::function<void(Result<Measure>)>> on_measured;
    Loop::TimerId measure_timer = 0;
  };

  // start
  std::optional<Refusal> launch(StartRequest& request, Start& start, const std::string& id,
                                Begun& begun);
  Status record_start(const StartRequest& request, const Start& start, const TaskRow& row);
  TaskRow make_row(const StartRequest& request, const Start& start, const std::string& id,
                   const std::string& secret) const;
  void go(const std::string& id, const std::string& remark);
  void abandon(const std::string& id);
  static void remember(Running& r, const wire::TaskCreate& create);
  void listen(Running& r);
  void watch_process(Running& r);

  // changes held back in a copy; true: it goes on when the copy is made, or settled
  bool copy_first(Running& r, const std::string& waiting);
  void on_copied(const std::string& id, const std::string& waiting, const Status& made);
  bool settle_copies_first(Running& r, const Ended& end);
  static bool works_on_copy(const TaskRow& row);

  // its network
  void on_network(Running& r, LinkMessage& m);
  void on_dialled(Running& r, LinkMessage& m);
  Status serve_ssh(const Running& r, const TaskPaths& paths, const std::string& id);
  Status begin_network(Running& r, const TaskPaths& paths, const std::string& id,
                       const wire::TaskCreate& create, SecretParts& secrets);
  InjectionSetPtr injections_of(const Running& r, const std::string& id, const std::string& login,
                                std::string& left_out) const;
  void seal_keys(Running& r, const std::string& id, SecretParts& secrets);
  Status resume_network(Running& r);
  void refuse_model(Running& r, const Charge& charge, const Error& why);
  static void judge_budget(const Running& r, Ended& end);
  static std::optional<wire::TaskNet> net_of(const wire::TaskCreate& c);
  void dial_inside(const std::string& id, uint64_t number, int32_t port);
  void on_net_report(const std::string& id, const NetReport& told);
  bool end_network_first(Running& r, const Ended& end);

  // its limits, and what it uses
  void on_near_limit(Running& r, LinkMessage& m);
  void on_refused(Running& r, LinkMessage& m);
  void on_values(Running& r, LinkMessage& m);
  void ask_values(Running& r);
  void on_measured(Running& r, LinkMessage& m);
  void measured(Running& r, const Result<Measure>& what);
  void measure_layers(wire::TaskStats stats, const TaskRow& row, OnStats done);
  void drop_cgroup(const std::string& id);
  void thaw_paused(const Running& r);

  // agents
  void watch_agent(Running& r);
  void watch_agents_later();
  void read_agent(Running& r, bool final);
  void judge(Running& r, Ended& end);
  void sync_logins(const Running* ended);
  Result<uint64_t> stored_offset(const std::string& id);

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
  bool try_again(Running& r);
  void note_started(Running& r, int64_t at_us);
  void finish(const std::string& id, const Ended& end);
  Status write_end(Running& r, const Ended& end);
  bool wants_apply(const Running& r, const Ended& end) const;
  void apply_then_finish(Running& r, const Ended& end);
  void on_applied(const std::string& id, Ended end, const Result<wire::ApplyResult>& result);
  Status give_back_from(const TaskRow& row);
  void add_refusals(const TaskRow& row, std::string& note);
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
  static bool reachable(const Running& r) {
    return r.helper && r.helper->link && !r.link_closed && !r.adopting;
  }
  void reached(const std::string& id);

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
  std::function<void()> settle_models_;  // null: no task has models yet
  TrustStores trust_stores_;
  std::map<std::string, std::unique_ptr<Running>> tasks_;
  std::set<std::string> held_;
  Loop::TimerId write_timer_ = 0;
  Loop::TimerId agents_timer_ = 0;
  int64_t logins_synced_us_ = 0;
};

}  // namespace codexos::daemon
