// SPDX-License-Identifier: Apache-2.0
// Orders to tasks: stop, kill, pause, resume, attach, exec, rm, prune.
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <map>

#include "core/base/log.h"
#include "core/base/path.h"
#include "core/json/json.h"
#include "core/os/file.h"
#include "daemon/tasks/applier.h"
#include "daemon/tasks/known_values.h"
#include "daemon/tasks/retention.h"
#include "daemon/tasks/supervisor.h"

namespace codexos::daemon {
namespace {

constexpr int64_t kAnswerMs = 10000;    // for pause and resume
constexpr int64_t kKillSlackMs = 3000;  // after the grace, before we kill the shim itself
constexpr uint64_t kMaxGraceMs = 86400000;
constexpr int kMaxSignal = 64;
constexpr uint64_t kPruneGraceS = 600;  // an apply that runs may not have written what it refers to

wire::Task already_ended(wire::Task t) {
  t.notes.push_back("had already ended");
  return t;
}

/// "K=V" lines, later ones win, sorted.
std::vector<std::string> merge_env(const std::vector<std::string>& base,
                                   const std::map<std::string, std::string>& more) {
  std::map<std::string, std::string> all;
  for (const auto& kv : base) {
    const size_t eq = kv.find('=');
    if (eq != std::string::npos) all[kv.substr(0, eq)] = kv.substr(eq + 1);
  }
  for (const auto& [k, v] : more) all[k] = v;
  std::vector<std::string> out;
  for (const auto& [k, v] : all) out.push_back(k + "=" + v);
  return out;
}

bool waits(const wire::Task& t) { return t.changes_state == "waiting"; }

}  // namespace

Supervisor::Running* Supervisor::controllable(const std::string& id, const OnTask& done) {
  auto row = find(id);
  if (!row.ok()) {
    done(std::move(row).error());
    return nullptr;
  }
  Running* r = find_running(row->task.id);
  if (r == nullptr || r->finished || r->end_row) {
    if (is_terminal(row->task.state))
      done(already_ended(row->task));
    else
      done(Error{Code::conflict, "task " + row->task.id + " is ending", {}});
    return nullptr;
  }
  if (!reachable(*r)) {
    done(Error{Code::unavailable, "task " + row->task.id + " is being taken over", "try again"});
    return nullptr;
  }
  return r;
}

void Supervisor::stop(const std::string& id, const wire::StopBody& body, OnTask done) {
  if (body.grace_ms > kMaxGraceMs)
    return done(Error{Code::invalid, "grace_ms: more than a day", {}});
  Running* r = controllable(id, done);
  if (r == nullptr) return;
  if (auto s = change_state(*r, TaskInput::stop, wire::EventType::task_stopping, {}); !s.ok())
    return done(std::move(s).error());
  r->on_end.push_back(std::move(done));
  r->helper->link->send(LinkType::stop, StopRequest{Cause::stopped, body.grace_ms});
  arm_deadline(*r, static_cast<int64_t>(body.grace_ms) + kKillSlackMs, Cause::stopped);
}

void Supervisor::kill(const std::string& id, const wire::StopBody& body, OnTask done) {
  const int signal = body.signal == 0 ? SIGKILL : body.signal;
  if (signal < 0 || signal > kMaxSignal)
    return done(Error{Code::invalid, "signal: " + std::to_string(signal) + " is not a signal", {}});
  if (signal == SIGKILL) {
    wire::StopBody now;
    now.grace_ms = 0;
    return stop(id, now, std::move(done));
  }
  Running* r = controllable(id, done);
  if (r == nullptr) return;
  r->helper->link->send(LinkType::signal, SignalRequest{signal, false});
  done(r->row.task);
}

void Supervisor::pause(const std::string& id, OnTask done) {
  ask_pause(id, TaskInput::pause, TaskState::paused, LinkType::pause, std::move(done));
}

void Supervisor::resume(const std::string& id, OnTask done) {
  ask_pause(id, TaskInput::resume, TaskState::running, LinkType::resume, std::move(done));
}

void Supervisor::ask_pause(const std::string& id, TaskInput input, TaskState wanted, LinkType order,
                           OnTask done) {
  Running* r = controllable(id, done);
  if (r == nullptr) return;
  if (auto s = next_state(r->row.task.state, input); !s.ok()) return done(std::move(s).error());
  if (r->row.task.state == wanted) return done(r->row.task);
  r->on_pause.push_back(std::move(done));
  r->helper->link->send(order);
  if (r->pause_timer != 0) return;
  const std::string key = r->row.task.id;
  r->pause_timer = p_.loop.after_ms(kAnswerMs, "pause", [this, key] {
    Running* x = find_running(key);
    if (x == nullptr) return;
    x->pause_timer = 0;
    for (const auto& fn : std::exchange(x->on_pause, {}))
      fn(Error{Code::timeout, "task " + key + " does not answer", {}});
  });
}

Status Supervisor::can_attach(const std::string& id) {
  Status out;
  const Running* r = controllable(id, [&out](Result<wire::Task> t) {
    out = t.ok() ? Error{Code::conflict, "task " + t->id + " has ended", "codexos logs " + t->id}
                 : t.error();
  });
  return r == nullptr ? out : Status();
}

void Supervisor::attach(const std::string& id, const AttachClient& how, Fd connection) {
  auto row = find(id);
  Running* r = row.ok() ? find_running(row->task.id) : nullptr;
  if (r == nullptr || !r->helper || r->link_closed) return;  // the connection closes: it ended now
  r->helper->link->send(LinkType::client, how, {connection.get()});
}

Result<uint64_t> Supervisor::exec(const std::string& id, const wire::ExecCreate& request) {
  wire::TaskCreate checked;
  checked.argv = request.argv;
  checked.env = request.env;
  checked.cwd = request.cwd.empty() ? "/" : request.cwd;
  checked.stdin_mode = request.stdin_mode;
  checked.rows = request.rows;
  checked.cols = request.cols;
  CODEXOS_TRY(check_create(checked));
  CODEXOS_TRY(can_attach(id));
  CODEXOS_ASSIGN(const TaskRow row, find(id));
  Running* r = find_running(row.task.id);
  CODEXOS_ASSIGN(const StoredCreate stored,
                 json::decode<StoredCreate>(row.create_json, json::Unknown::ignore));
  ExecRequest e;
  e.id = r->next_exec;
  e.argv = request.argv;
  e.env = merge_env(stored.env, request.env);
  CODEXOS_ASSIGN(const auto values, value_env(row.task.secrets, p_.vault));
  e.env.insert(e.env.end(), values.begin(), values.end());
  for (const auto& kv : values) e.values.push_back(kv.substr(kv.find('=') + 1));
  p_.values.add(row.task.id, e.values);
  e.cwd = request.cwd.empty() ? row.task.cwd : request.cwd;
  e.stdin_mode = request.stdin_mode;
  e.stdout_mode = request.stdout_mode;
  e.stderr_mode = request.stderr_mode;
  e.rows = request.rows;
  e.cols = request.cols;
  CODEXOS_TRY(add_event(r->row, wire::EventType::exec_started, [&e](wire::Event& event) {
    event.exec_id = static_cast<int64_t>(e.id);
    event.argv = e.argv;
    event.cwd = e.cwd;
  }));
  ++r->next_exec;
  const uint64_t number = e.id;
  r->execs.emplace(number, std::move(e));
  return number;
}

void Supervisor::send_exec(const std::string& id, uint64_t exec_id, std::vector<Fd> fds) {
  Running* r = find_running(id);
  if (r == nullptr) return;
  const auto it = r->execs.find(exec_id);
  if (it == r->execs.end()) return;
  std::vector<int> numbers;
  for (const auto& fd : fds) numbers.push_back(fd.get());
  if (r->helper && !r->link_closed) r->helper->link->send(LinkType::exec, it->second, numbers);
  r->execs.erase(it);
}

Result<std::vector<std::string>> Supervisor::stacked_on(const std::string& folder) {
  std::vector<std::string> out;
  const auto look = [&](const TaskRow& row) {
    const auto roots = json::decode<Roots>(row.layers_json, json::Unknown::ignore);
    if (!roots.ok()) return;
    for (const auto& root : roots->roots)
      for (const auto& lower : root.lowers)
        if (path_within(lower, folder)) return out.push_back(row.task.id);
  };
  for (const auto& [id, r] : tasks_) look(r->row);
  CODEXOS_ASSIGN(const auto rows, p_.store.tasks_with_layers());
  for (const auto& row : rows)
    if (tasks_.count(row.task.id) == 0) look(row);
  return out;
}

/// Ids of tasks whose lower layers are this one's.
Result<std::vector<std::string>> Supervisor::based_on_by(const TaskRow& row) {
  const std::string dir = paths(row).dir;
  if (row.task.changes_state != "continued" && access((dir + "/snapshots").c_str(), F_OK) != 0)
    return std::vector<std::string>();
  return stacked_on(dir);
}

pid_t Supervisor::shim_of(const std::string& id) {
  const Running* r = find_running(id);
  const bool runs = r != nullptr && r->started && !r->finished && !r->end_row && r->helper;
  return runs ? r->helper->process.pid : 0;
}

bool Supervisor::uses_layers(const std::string& id) const {
  return tasks_.count(id) != 0 || rewrites_layers(id);
}

bool Supervisor::rewrites_layers(const std::string& id) const {
  return held_.count(id) != 0 || p_.applier.is_busy(id);
}

Status Supervisor::forget(const TaskRow& row) {
  if (p_.applier.is_busy(row.task.id))
    return Error{Code::conflict, "the changes of task " + row.task.id + " are being applied",
                 "try again"};
  if (held_.count(row.task.id) != 0)
    return Error{Code::conflict, "the changes of " + row.task.id + " are being restored",
                 "try again"};
  CODEXOS_ASSIGN(const auto others, based_on_by(row));
  if (!others.empty())
    return Error{Code::conflict,
                 "task " + others.front() + " started from the changes of " + row.task.id,
                 "codexos rm " + others.front() + " first"};
  CODEXOS_TRY(p_.store.delete_task(row.task.id));
  p_.feed.mark(row.task.id);
  p_.after_commit.add([this, dir = paths(row).dir] { p_.worker.remove(dir); });
  return {};
}

void Supervisor::remove(const std::string& id, bool force, OnTask done) {
  auto row = find(id);
  if (!row.ok()) return done(std::move(row).error());
  if (is_terminal(row->task.state)) {
    if (auto s = forget(*row); !s.ok()) return done(std::move(s).error());
    return done(row->task);
  }
  if (!force)
    return done(Error{Code::conflict,
                      "task " + row->task.id + " is " + std::string(name_of(row->task.state)),
                      "codexos rm -f " + row->task.id});
  const std::string full = row->task.id;
  kill(full, wire::StopBody{}, [this, full, done](Result<wire::Task> ended) {
    if (!ended.ok()) return done(std::move(ended));
    remove(full, false, done);
  });
}

void Supervisor::prune(const wire::PruneBody& body,
                       std::function<void(Result<wire::PruneResult>)> done) {
  settle();
  wire::PruneResult result;
  std::vector<std::string> dirs;
  // Newest first: a task that builds on an earlier one goes before it.
  TaskQuery q;
  q.all = true;
  do {
    auto rows = p_.store.list_tasks(q);
    if (!rows.ok()) return done(std::move(rows).error());
    q.cursor = rows->size() < static_cast<size_t>(q.limit) ? "" : cursor_after(rows->back());
    for (const auto& row : *rows) {
      if (!is_terminal(row.task.state)) continue;
      if (waits(row.task)) result.waiting.push_back(row.task.id);
      if (waits(row.task) && !body.all) continue;
      if (held_.count(row.task.id) != 0 || p_.applier.is_busy(row.task.id)) continue;
      const auto others = based_on_by(row);
      if (!others.ok() || (!others->empty() && !(body.all && body.dry_run))) continue;
      result.removed.push_back(row.task.id);
      if (body.dry_run) continue;
      if (auto s = p_.store.delete_task(row.task.id); !s.ok()) return done(std::move(s).error());
      dirs.push_back(paths(row).dir);
    }
  } while (!q.cursor.empty());
  if (body.all)
    for (const char* kept : {"/caches", "/agents"}) dirs.push_back(p_.home + kept);
  if (body.dry_run) return done(std::move(result));
  p_.after_commit.add(
      [this, dirs, result, done] {
        p_.worker.submit([dirs, result, done, home = p_.home]() -> Worker::Answer {
          wire::PruneResult r = result;
          for (const auto& dir : dirs) {
            const auto freed = remove_tree(dir);
            if (freed.ok()) r.freed_bytes += *freed;
          }
          if (const auto swept = sweep_contents(home, kPruneGraceS); swept.ok())
            r.freed_bytes += swept->bytes;
          return [r, done] { done(r); };
        });
      },
      [done](const Error& why) { done(why); });
}

}  // namespace codexos::daemon
