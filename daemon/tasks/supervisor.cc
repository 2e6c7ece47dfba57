// SPDX-License-Identifier: Apache-2.0
// Starting, and what the shims say. Ends are in supervisor_end.cc, orders to running tasks in
// supervisor_control.cc, the first minutes after a daemon's death in recovery.cc.
#include "daemon/tasks/supervisor.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <iterator>

#include "core/base/clock.h"
#include "core/base/id.h"
#include "core/base/log.h"
#include "core/base/text.h"
#include "core/json/json.h"
#include "core/os/file.h"
#include "daemon/tasks/applier.h"
#include "daemon/tasks/budgets.h"
#include "daemon/tasks/client_frames.h"
#include "daemon/tasks/copy_mode.h"
#include "daemon/tasks/known_values.h"
#include "daemon/tasks/landlock_start.h"

namespace codexos::daemon {
namespace {

constexpr uint32_t kSoftPercent = 80;  // of a task's own budget
constexpr int64_t kWriteDelayMs = 10;
constexpr int64_t kDeadlineSlackMs = 2000;  // the shim enforces; we only follow when it does not

Fd duplicate(const Fd& fd) { return fd ? Fd(fcntl(fd.get(), F_DUPFD_CLOEXEC, 3)) : Fd(); }

/// Puts a descriptor among those that travel with the job; -1 for none.
int32_t add_fd(std::vector<Fd>& fds, Fd fd) {
  if (!fd) return -1;
  fds.push_back(std::move(fd));
  return static_cast<int32_t>(fds.size() - 1);
}

void pass_files(Job& job, TaskFds files, std::vector<Fd>& fds) {
  job.stdout_log_fd = add_fd(fds, std::move(files.stdout_log));
  job.stderr_log_fd = add_fd(fds, std::move(files.stderr_log));
  job.record_fd = add_fd(fds, std::move(files.record));
  job.alive_fd = add_fd(fds, std::move(files.alive));
  job.listen_fd = add_fd(fds, std::move(files.listener));
}

void pass_client(Job& job, StartRequest& request, std::vector<Fd>& fds) {
  job.client_fd = add_fd(fds, std::move(request.client));
  job.stdout_fd = add_fd(fds, std::move(request.stdout_fd));
  job.stderr_fd = add_fd(fds, std::move(request.stderr_fd));
}

/// The task's cgroup: the files that its shim joins and reads by.
void pass_cgroup(Job& job, TaskCgroup cgroup, std::vector<Fd>& fds) {
  CgroupFiles& c = job.cgroup;
  c.version = cgroup.version;
  for (auto& fd : cgroup.join) c.join.push_back(add_fd(fds, std::move(fd)));
  c.memory = add_fd(fds, std::move(cgroup.memory));
  c.memory_stat = add_fd(fds, std::move(cgroup.memory_stat));
  c.oom = add_fd(fds, std::move(cgroup.oom));
  c.cpu = add_fd(fds, std::move(cgroup.cpu));
  c.pids = add_fd(fds, std::move(cgroup.pids));
  c.freezer = add_fd(fds, std::move(cgroup.freezer));
  c.events = add_fd(fds, std::move(cgroup.events));
}

Status check_descriptors(const StartRequest& r) {
  const auto& c = r.create;
  if (c.plan_only) return {};
  if (c.stdout_mode == Stdio::passed && !r.stdout_fd)
    return Error{
        Code::invalid, "stdout_mode is passed, but no descriptor came with the request", {}};
  if (c.stderr_mode == Stdio::passed && !r.stderr_fd)
    return Error{
        Code::invalid, "stderr_mode is passed, but no descriptor came with the request", {}};
  if (c.owned && !r.client)
    return Error{Code::invalid, "owned needs a connection: send Upgrade: codexos-frames/1", {}};
  return {};
}

/// What a refusal before the start means for `run --json` and inspect.
Refusal refuse(Error e) {
  struct Row {
    Code code;
    Cause cause;
  };
  static constexpr Row kRows[] = {{Code::denied, Cause::refused_by_policy},
                                  {Code::unavailable, Cause::not_isolated},
                                  {Code::internal, Cause::start_failed},
                                  {Code::exhausted, Cause::start_failed},
                                  {Code::no_space, Cause::start_failed}};
  for (const auto& row : kRows) {
    if (row.code != e.code) continue;
    if (row.cause == Cause::not_isolated && e.hint.empty()) e.hint = "codexos doctor";
    return Refusal{std::move(e), row.cause, {}};
  }
  return Refusal{std::move(e), Cause::none, {}};  // the request is wrong: nothing was tried
}

/// The caller's variables are known to nobody else.
Refusal ask_for(const std::vector<std::string>& names) {
  Error e{
      Code::invalid,
      "a policy passes on variables that the request does not carry: " + join_words(names, ", "),
      "send them as policy.env, and their names as policy.env_asked"};
  return Refusal{std::move(e), Cause::none, names};
}

/// Once the request is accepted, what fails is not the caller's: ENOENT of our helper is no 404.
Refusal broken_start(Error e, const std::string& id) {
  static constexpr std::array kKept{Code::unavailable, Code::exhausted, Code::no_space,
                                    Code::conflict};
  if (std::find(kKept.begin(), kKept.end(), e.code) == kKept.end()) e.code = Code::internal;
  return refuse(std::move(e).during("start task " + id));
}

}  // namespace

Supervisor::~Supervisor() {
  p_.network.on_report(nullptr);
  p_.network.on_dial(nullptr);
  for (auto& [id, r] : tasks_) {
    if (r->stop_copy) r->stop_copy->store(true);
    if (r->helper && r->helper->pidfd) p_.loop.forget(r->helper->pidfd.get());
  }
}

std::optional<Refusal> Supervisor::plan(StartRequest request, wire::PlanView& out) {
  const auto start = p_.planner.plan(request.create, request.uid, request.gid,
                                     std::string(kTaskIdLength, 'x'), "/layers");
  if (!start.ok()) return refuse(start.error());
  if (!start->wants_env.empty()) return ask_for(start->wants_env);
  out = p_.planner.show(request.create, *start);
  return std::nullopt;
}

std::optional<Refusal> Supervisor::start(StartRequest request, Begun& begun) {
  if (!request.idempotency_key.empty()) {
    auto known =
        p_.store.find_idempotent(request.uid, request.idempotency_key, request.request_hash);
    if (!known.ok()) return refuse(std::move(known).error());
    if (*known) {
      auto row = find(**known);
      if (!row.ok()) return refuse(std::move(row).error());
      begun = Begun{row->task, true};
      return std::nullopt;
    }
  }
  if (auto s = check_descriptors(request); !s.ok()) return refuse(std::move(s).error());
  const std::string id = make_task_id();
  const TaskPaths paths(p_.home, request.tenant, id);
  auto start = p_.planner.plan(request.create, request.uid, request.gid, id, paths.layers());
  if (!start.ok()) return refuse(std::move(start).error());
  if (!start->wants_env.empty()) return ask_for(start->wants_env);
  if (start->from && held_.count(start->from->task.id) != 0)
    return refuse(Error{Code::conflict,
                        "the changes of " + start->from->task.id + " are being restored",
                        "try again"});
  if (auto r = launch(request, *start, id, begun)) {
    if (start->in_cgroup) drop_cgroup(id);
    p_.values.forget(id);
    p_.worker.remove(paths.dir);
    return r;
  }
  return std::nullopt;
}

TaskRow Supervisor::make_row(const StartRequest& request, const Start& start, const std::string& id,
                             const std::string& secret) const {
  const auto& c = request.create;
  TaskRow row;
  auto& t = row.task;
  t.id = id;
  t.name = c.name;
  t.labels = c.labels;
  t.state = TaskState::starting;
  t.activity = "working";
  t.argv = start.job.argv;
  t.cwd = start.job.cwd;
  t.mode = c.mode;
  t.isolation = name_of(start.landlock ? wire::Isolation::landlock : wire::Isolation::full);
  t.seccomp = name_of(start.request.seccomp);
  t.network = c.net == wire::Network::allow ? "by name" : std::string(name_of(c.net));
  t.net = net_of(c);
  t.limits = start.held;
  t.agent = start.agent;
  t.secrets = c.secrets;
  t.ssh_keys = c.ssh_keys;
  t.landlock_abi = start.view->landlock_abi;
  t.terminal =
      c.stdin_mode == Stdio::pty || c.stdout_mode == Stdio::pty || c.stderr_mode == Stdio::pty;
  t.changes_state = c.mode == wire::WorkspaceMode::direct ? "direct" : "none";
  t.notes = start.notes;
  if (start.from) t.from = start.from->task.id;
  if (!start.from_snapshot.empty()) t.from += "@" + start.from_snapshot;
  if (!start.workspace.roots.empty()) {
    const Root& root = start.workspace.roots[0];
    t.workspace = root.path;
    row.workspace_dev = static_cast<int64_t>(root.dev);
    row.workspace_ino = static_cast<int64_t>(root.ino);
  }
  row.created_at_us = now_us();
  t.created_at = format_time(row.created_at_us);
  row.clock_start_us = clock_offset_us();
  row.tenant = request.tenant;
  row.secret = secret;
  row.boot_id = p_.boot_id;
  row.layers_json = json::encode(Roots{start.workspace.roots});
  const auto values = static_cast<std::ptrdiff_t>(start.secrets.value_env.size());
  row.create_json = json::encode(StoredCreate{c,
                                              request.uid,
                                              request.gid,
                                              {start.job.env.begin(), start.job.env.end() - values},
                                              start.policy,
                                              start.secrets.placeholders,
                                              start.ssh.known_hosts},
                                 json::Defaults::omit);
  row.rm = c.rm;
  return row;
}

std::optional<Refusal> Supervisor::launch(StartRequest& request, Start& start,
                                          const std::string& id, Begun& begun) {
  const TaskPaths paths(p_.home, request.tenant, id);
  std::string ahead;
  auto files = p_.ahead.create(paths, start, ahead);
  if (!files.ok()) return broken_start(std::move(files).error(), id);
  auto r = std::make_unique<Running>();
  remember(*r, request.create);
  r->uid = request.uid;
  r->in_cgroup = start.in_cgroup;
  r->client = duplicate(request.client);
  r->on_failure = start.on_failure;
  r->unused_hint = start.unused_hint;
  r->exits = std::move(start.agent_exits);
  start.job.secret = make_secret(16);
  p_.values.set(id, start.job.values);
  std::vector<Fd> fds;
  pass_files(start.job, *std::move(files), fds);
  pass_client(start.job, request, fds);
  if (start.in_cgroup) {
    auto cgroup = p_.cgroups.create(id, start.limits);
    if (!cgroup.ok()) return broken_start(std::move(cgroup).error(), id);
    pass_cgroup(start.job, *std::move(cgroup), fds);
  }
  r->ssh = start.ssh.access;
  if (auto s = begin_network(*r, paths, id, request.create, start.secrets); !s.ok())
    return broken_start(std::move(s).error(), id);
  // Of its processes only: the record is made without them.
  const auto& values = start.secrets.value_env;
  start.job.env.insert(start.job.env.end(), values.begin(), values.end());
  if (start.landlock)
    if (auto s = make_places(paths, *start.landlock, start.workspace.roots, p_.home); !s.ok())
      return broken_start(std::move(s).error(), id);
  // The helper prepares while we write; it does not run the program before GO.
  auto helper = start.landlock ? p_.launcher.launch_alone(start.landlock->plan, start.job, fds)
                               : p_.launcher.launch(*start.view, start.job, fds,
                                                    Launcher::Choice::parked, ahead);
  if (!helper.ok()) {
    p_.network.end(id, [](const NetTotals&) {});
    return broken_start(std::move(helper).error(), id);
  }
  r->helper = *std::move(helper);
  TaskRow row = make_row(request, start, id, start.job.secret);
  if (auto sockets = std::exchange(r->helper->network, {}))
    if (auto less = p_.network.take(id, *sockets); less.ok() && !less->empty())
      row.task.notes.push_back(*std::move(less));
  if (!start.landlock)
    r->again = std::make_unique<Again>(
        Again{std::move(start.request), std::move(start.job), std::move(fds)});
  if (const PidInfo& p = r->helper->process; p.pid != 0) {
    row.shim_pid = p.pid;
    row.shim_start_time = p.start_time;
    row.task.pid = p.pid;
    write_alive(paths.alive(), p, p_.boot_id);
  }
  r->row = std::move(row);
  auto recorded = record_start(request, start, r->row);
  if (recorded.ok()) recorded = p_.planner.remark_on_waiting(request.create, start);
  if (auto s = std::move(recorded); !s.ok()) {
    r->helper->link->send(LinkType::abort);
    p_.network.end(id, [](const NetTotals&) {});
    return broken_start(std::move(s).error(), id);
  }
  p_.helpers.start_begins();
  r->counted = true;
  listen(*r);
  begun.task = r->row.task;
  if (r->helper->pidfd) watch_process(*r);
  watch_agent(*r);
  tasks_[id] = std::move(r);
  p_.after_commit.add([this, id, remark = start.remark] { go(id, remark); },
                      [this, id](const Error&) { abandon(id); });
  return std::nullopt;
}

/// Row, event, idempotency key, and what happens to the earlier task: all or nothing.
Status Supervisor::record_start(const StartRequest& request, const Start& start,
                                const TaskRow& row) {
  CODEXOS_TRY(p_.store.savepoint());
  const auto write = [&]() -> Status {
    CODEXOS_TRY(p_.store.insert_task(row));
    if (request.create.budget.any())
      CODEXOS_TRY(p_.budgets.set({"task:" + row.task.id, {}, request.create.budget, kSoftPercent}));
    CODEXOS_TRY(add_event(row, wire::EventType::task_created, [&row](wire::Event& e) {
      e.isolation = row.task.isolation;
      e.seccomp = row.task.seccomp;
      e.network = row.task.network;
      e.argv = row.task.argv;
      e.cwd = row.task.cwd;
      e.workspace = row.task.workspace;
      if (row.task.agent) e.agent = row.task.agent->name;
      if (!row.task.limits.empty()) e.limits = row.task.limits;
    }));
    if (!request.idempotency_key.empty())
      CODEXOS_TRY(p_.store.put_idempotent(request.uid, request.idempotency_key,
                                          request.request_hash, row.task.id));
    if (!start.from || !start.from_snapshot.empty()) return {};  // a snapshot can be taken often
    TaskRow from = *start.from;
    if (p_.applier.is_discarding(from.task.id))
      return Error{Code::conflict,
                   "changes of task " + from.task.id + " are being discarded just now",
                   "run it again"};
    from.task.changes_state = "continued";
    CODEXOS_TRY(p_.store.update_task(from));
    return add_event(from, wire::EventType::task_continued,
                     [&row](wire::Event& e) { e.by = row.task.id; });
  };
  auto written = write();
  if (written.ok()) return p_.store.release();
  p_.store.rollback();
  return written;
}

void Supervisor::go(const std::string& id, const std::string& remark) {
  Running* r = find_running(id);
  if (r == nullptr) return;
  r->committed = true;
  if (!r->helper || r->finished || r->end_row || copy_first(*r, remark)) return;
  if (!remark.empty() && r->client) send_notes(r->client.get(), remark);
  r->helper->link->send(LinkType::go);
}

/// The turn was rolled back: there never was such a task.
void Supervisor::abandon(const std::string& id) {
  Running* r = find_running(id);
  if (r == nullptr) return;
  if (r->helper && r->helper->link) r->helper->link->send(LinkType::abort);
  if (r->helper && r->helper->pidfd) p_.loop.forget(r->helper->pidfd.get());
  start_is_over(*r);
  p_.network.end(id, [](const NetTotals&) {});
  if (r->in_cgroup) drop_cgroup(id);
  p_.values.forget(id);
  p_.worker.remove(paths(r->row).dir);
  tasks_.erase(id);
}

void Supervisor::start_is_over(Running& r) {
  if (std::exchange(r.counted, false)) p_.helpers.start_done();
}

void Supervisor::remember(Running& r, const wire::TaskCreate& create) {
  r.timeout_ms = create.limits.timeout_ms;
  r.apply = create.apply;
  r.learns = create.learn;
  std::copy_if(create.key_for.begin(), create.key_for.end(), std::back_inserter(r.login_hosts),
               [](const std::string& host) { return host != kAnyHost; });
}

void Supervisor::listen(Running& r) {
  const std::string id = r.row.task.id;
  r.helper->link->handle([this, id](LinkMessage& m) { on_message(id, m); },
                         [this, id] { on_link_closed(id); });
}

void Supervisor::watch_process(Running& r) {
  const std::string id = r.row.task.id;
  auto s = p_.loop.watch(r.helper->pidfd.get(), EPOLLIN, "task process",
                         [this, id](uint32_t) { on_process_gone(id); });
  if (!s.ok()) log_line(LogLevel::error, "task " + id, s.error().message);
}

void Supervisor::on_message(const std::string& id, LinkMessage& m) {
  struct Row {
    LinkType type;
    void (Supervisor::*handle)(Running&, LinkMessage&);
  };
  static constexpr std::array kRows{
      Row{LinkType::pid, &Supervisor::on_pid},
      Row{LinkType::started, &Supervisor::on_started},
      Row{LinkType::failed, &Supervisor::on_failed},
      Row{LinkType::ended, &Supervisor::on_ended},
      Row{LinkType::state, &Supervisor::on_state},
      Row{LinkType::paused, &Supervisor::on_paused},
      Row{LinkType::owner, &Supervisor::on_owner},
      Row{LinkType::exec_ended, &Supervisor::on_exec_ended},
      Row{LinkType::network, &Supervisor::on_network},
      Row{LinkType::dialled, &Supervisor::on_dialled},
      Row{LinkType::measured, &Supervisor::on_measured},
      Row{LinkType::near_limit, &Supervisor::on_near_limit},
      Row{LinkType::refused, &Supervisor::on_refused},
      Row{LinkType::values, &Supervisor::on_values},
  };
  Running* r = find_running(id);
  if (r == nullptr) return;
  for (const auto& row : kRows)
    if (row.type == m.type) return (this->*row.handle)(*r, m);
  // parked and prepared only tell how far it is: GO does not wait for them.
}

void Supervisor::on_pid(Running& r, LinkMessage& m) {
  if (auto s = note_process(*r.helper, m); !s.ok()) {
    log_line(LogLevel::warning, "task " + r.row.task.id, s.error().message);
    return;
  }
  const PidInfo& p = r.helper->process;
  r.row.shim_pid = p.pid;
  r.row.shim_start_time = p.start_time;
  r.row.task.pid = p.pid;
  write_alive(paths(r.row).alive(), p, p_.boot_id);
  watch_process(r);
}

void Supervisor::on_started(Running& r, LinkMessage& m) {
  const auto told = from_binary<Started>(m.payload);
  if (!told.ok() || r.started || r.end_row || r.finished) return;
  start_is_over(r);
  const auto next = next_state(r.row.task.state, TaskInput::started);
  if (!next.ok()) return;
  r.started = true;
  r.client.reset();  // the shim serves it now
  r.again.reset();
  r.row.task.state = *next;
  r.row.started_at_us = told->at_us;
  r.row.task.started_at = format_time(told->at_us);
  r.unwritten = true;
  if (write_timer_ == 0)
    write_timer_ = p_.loop.after_ms(kWriteDelayMs, "write started tasks", [this] {
      write_timer_ = 0;
      settle();
    });
  if (r.timeout_ms > 0)
    arm_deadline(r, static_cast<int64_t>(r.timeout_ms + Job{}.stop_grace_ms) + kDeadlineSlackMs,
                 Cause::time_limit);
}

/// A step failed before the program ran. The helper is gone: the client hears it from us.
void Supervisor::on_failed(Running& r, LinkMessage& m) {
  const auto why = from_binary<StepFailure>(m.payload);
  Ended end;
  end.at_us = now_us();
  end.outcome.cause = why.ok() ? why->cause : Cause::start_failed;
  end.outcome.detail = why.ok() ? why->step + ": " + why->text : why.error().message;
  if (why.ok() && is_overlay_refusal(why->step, why->error)) {
    p_.planner.overlay_refused(r.row.task.workspace);
    end.outcome.detail += " (run it again: its changes will be held back in a copy)";
  }
  finish(r.row.task.id, end);
}

void Supervisor::on_ended(Running& r, LinkMessage& m) {
  auto end = from_binary<Ended>(m.payload);
  if (!end.ok()) {
    log_line(LogLevel::error, "task " + r.row.task.id, "ended: " + end.error().message);
    return;
  }
  r.client.reset();  // the shim sends the exit frame
  finish(r.row.task.id, *end);
}

void Supervisor::on_paused(Running& r, LinkMessage& m) {
  const auto told = from_binary<PauseState>(m.payload);
  if (!told.ok()) return;
  if (r.pause_timer != 0) p_.loop.cancel(std::exchange(r.pause_timer, 0));
  const auto waiting = std::exchange(r.on_pause, {});
  const TaskState before = r.row.task.state;
  Status s;
  if (!told->error.empty()) {
    s = Error{Code::unavailable, told->error, {}};
  } else if (told->paused != (before == TaskState::paused)) {
    s = change_state(r, told->paused ? TaskInput::pause : TaskInput::resume,
                     told->paused ? wire::EventType::task_paused : wire::EventType::task_resumed,
                     {});
  }
  // The time limit's clock stands while the task does.
  if (told->paused && r.deadline != 0) {
    p_.loop.cancel(std::exchange(r.deadline, 0));
    r.paused_at_us = monotonic_us();
  } else if (!told->paused && r.paused_at_us != 0) {
    const int64_t left_us = r.deadline_at_us - std::exchange(r.paused_at_us, 0);
    arm_deadline(r, left_us / 1000, Cause::time_limit);
  }
  for (const auto& done : waiting)
    done(s.ok() ? Result<wire::Task>(r.row.task) : Result<wire::Task>(s.error()));
}

void Supervisor::on_owner(Running& r, LinkMessage& m) {
  const auto told = from_binary<OwnerState>(m.payload);
  if (!told.ok() || r.end_row || r.finished) return;
  Status s;
  if (told->detached) {
    settle();
    s = add_event(r.row, wire::EventType::task_detached);
  } else {
    s = change_state(r, TaskInput::stop, wire::EventType::task_stopping,
                     "the client that owned it is gone");
  }
  if (!s.ok()) log_line(LogLevel::warning, "task " + r.row.task.id, s.error().message);
}

void Supervisor::on_exec_ended(Running& r, LinkMessage& m) {
  const auto told = from_binary<ExecEnded>(m.payload);
  if (!told.ok() || r.end_row || r.finished) return;
  settle();
  const auto s = add_event(r.row, wire::EventType::exec_ended, [&told](wire::Event& e) {
    e.exec_id = static_cast<int64_t>(told->id);
    e.exit_code = exit_code_of(told->outcome);
    e.cause = cause_row(told->outcome.cause).name;
    if (told->outcome.signal != 0) e.signal = told->outcome.signal;
    if (!told->outcome.detail.empty()) e.detail = told->outcome.detail;
  });
  if (!s.ok()) log_line(LogLevel::warning, "task " + r.row.task.id, s.error().message);
}

Supervisor::Running* Supervisor::find_running(const std::string& id) {
  const auto it = tasks_.find(id);
  return it == tasks_.end() ? nullptr : it->second.get();
}

Status Supervisor::add_event(const TaskRow& row, wire::EventType type,
                             const std::function<void(wire::Event&)>& fill) {
  wire::Event e;
  e.ts = format_time(now_us());
  e.task = row.task.id;
  e.type = type;
  e.state = row.task.state;
  if (fill) fill(e);
  p_.values.redact_texts(e.task, e);
  p_.feed.mark(row.task.id);
  return p_.store.append_event(e);
}

Status Supervisor::change_state(Running& r, TaskInput input, wire::EventType type,
                                const std::string& detail) {
  CODEXOS_ASSIGN(const TaskState next, next_state(r.row.task.state, input));
  settle();
  const TaskState before = std::exchange(r.row.task.state, next);
  const std::string id = r.row.task.id;
  p_.after_commit.add([] {},
                      [this, id, before](const Error&) {
                        if (Running* x = find_running(id)) x->row.task.state = before;
                      });
  CODEXOS_TRY(p_.store.update_task(r.row));
  return add_event(r.row, type, [&detail](wire::Event& e) {
    if (!detail.empty()) e.detail = detail;
  });
}

void Supervisor::write_started(Running& r) {
  r.unwritten = false;
  auto s = p_.store.update_task(r.row);
  if (s.ok())
    s = add_event(r.row, wire::EventType::task_started,
                  [&r](wire::Event& e) { e.ts = r.row.task.started_at; });
  if (!s.ok()) log_line(LogLevel::error, "task " + r.row.task.id, s.error().message);
  const std::string id = r.row.task.id;
  p_.after_commit.add([] {},
                      [this, id](const Error&) {
                        if (Running* x = find_running(id)) x->unwritten = true;
                      });
}

void Supervisor::settle() {
  for (auto& [id, r] : tasks_)
    if (r->unwritten && !r->end_row) write_started(*r);
}

void Supervisor::before_commit() {
  if (p_.store.dirty()) settle();
}

Result<TaskRow> Supervisor::find(const std::string& name_or_prefix) {
  settle();
  return p_.store.find_task(name_or_prefix);
}

void Supervisor::park_ahead() {
  TaskQuery q;
  q.all = true;
  q.limit = 1;
  const auto rows = p_.store.list_tasks(q);
  if (!rows.ok() || rows->empty()) return;
  const auto stored = json::decode<StoredCreate>(rows->front().create_json, json::Unknown::ignore);
  if (!stored.ok()) return;
  const auto view = p_.planner.likely_view(stored->create.caller_env, stored->uid, stored->gid);
  if (view.ok()) p_.helpers.prepare(**view);
}

std::vector<pid_t> Supervisor::keepers() const {
  std::vector<pid_t> out;
  for (const auto& [id, r] : tasks_)
    if (is_alone(r->row) && r->row.shim_pid != 0)
      out.push_back(static_cast<pid_t>(r->row.shim_pid));
  return out;
}

std::vector<std::string> Supervisor::live_tasks() const {
  std::vector<std::string> out;
  for (const auto& [id, r] : tasks_) out.push_back(id);
  return out;
}

size_t Supervisor::starting() const {
  size_t n = 0;
  for (const auto& [id, r] : tasks_) n += r->counted ? 1 : 0;
  return n;
}

size_t Supervisor::running() const {
  size_t n = 0;
  for (const auto& [id, r] : tasks_) n += r->finished ? 0 : 1;
  return n;
}

}  // namespace codexos::daemon
