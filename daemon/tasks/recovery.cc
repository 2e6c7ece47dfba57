// SPDX-License-Identifier: Apache-2.0
// After a daemon's death or upgrade: each unfinished task is asked by the lock of its `alive` file.
// Held: its shim lives and is adopted through shim.sock. Free, and the recorded process gone too (a
// dying process closes its files before its namespace is empty): its record tells the end, or it is
// lost. Nothing is guessed, and nothing is decided while one of the two conditions is open.
#include <poll.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/json/json.h"
#include "core/os/freezer.h"
#include "core/os/socket.h"
#include "core/os/spawn.h"
#include "daemon/tasks/known_values.h"
#include "daemon/tasks/limits.h"
#include "daemon/tasks/supervisor.h"

namespace codexos::daemon {
namespace {

constexpr int64_t kAdoptRetryMs = 1000;
constexpr int64_t kReachMs = 5000;  // how long an order waits for an adoption

struct Living {
  PidInfo info;
  Fd pidfd;
};
/// The recorded process, if it is still that one and has not ended: a zombie that nobody reaps has.
std::optional<Living> living_process(const std::string& alive_path, const std::string& boot_id) {
  const auto told = read_alive(alive_path, boot_id);
  if (!told) return std::nullopt;
  auto pidfd = open_pidfd(told->pid);
  if (!pidfd.ok() || process_start_time(told->pid) != told->start_time) return std::nullopt;
  pollfd p{pidfd->get(), POLLIN, 0};
  if (poll(&p, 1, 0) > 0) return std::nullopt;
  return Living{*told, *std::move(pidfd)};
}

}  // namespace

Status Supervisor::recover() {
  CODEXOS_ASSIGN(auto rows, p_.store.unfinished_tasks());
  for (auto& row : rows) {
    auto r = std::make_unique<Running>();
    const std::string id = row.task.id;
    r->started = row.started_at_us != 0;
    r->committed = true;
    r->recovered = true;
    r->row = std::move(row);
    const auto stored = json::decode<StoredCreate>(r->row.create_json, json::Unknown::ignore);
    if (stored.ok()) {
      remember(*r, stored->create);
      // Where it was made is known from home/cgroups; there may be none.
      r->in_cgroup = wants_cgroup(stored->create.limits, stored->create.limit_driver);
    }
    if (stored.ok()) {
      r->placeholders = stored->placeholders;
      if (auto ssh = ssh_access(stored->create, stored->known_hosts); ssh.ok())
        r->ssh = *std::move(ssh);
      r->uid = stored->uid;
    }
    if (gives_values(r->row.task.secrets)) p_.values.withhold(id);
    if (auto s = resume_network(*r); !s.ok())
      log_line(LogLevel::error, "task " + id, "its network: " + s.error().message);
    watch_agent(*r);
    tasks_[id] = std::move(r);
    // A snapshot was being taken of it.
    Freezer::thaw_left(tasks_[id]->row.shim_pid, id, task_cgroup_name(p_.home, id));
    recover_one(id);
  }
  p_.cgroups.sweep(live_tasks());
  record_missing_bases();
  return {};
}

/// Also asked again: when an adoption failed, or a living shim's link closed.
void Supervisor::recover_one(const std::string& id) {
  Running* r = find_running(id);
  if (r == nullptr || r->finished || r->end_row) return;
  const TaskPaths files = paths(r->row);
  auto process = living_process(files.alive(), p_.boot_id);
  if (r->helper && r->helper->pidfd) p_.loop.forget(r->helper->pidfd.get());
  r->helper = std::make_unique<Helper>();
  r->link_closed = true;
  r->process_gone = !process;
  if (process) {
    r->helper->process = process->info;
    r->helper->pidfd = std::move(process->pidfd);
    watch_process(*r);
  }
  if (!is_alive_locked(files.alive())) {
    thaw_paused(*r);
    return maybe_resolve(*r);  // at once, or when it is gone
  }
  if (auto adopted = adopt(*r); !adopted.ok()) {
    log_line(LogLevel::warning, "task " + id, "not adopted yet: " + adopted.error().message);
    p_.loop.after_ms(kAdoptRetryMs, "recover task", [this, id] { recover_one(id); });
  }
}

Status Supervisor::adopt(Running& r) {
  CODEXOS_ASSIGN(Fd fd, connect_unix(paths(r.row).socket(), SocketType::seqpacket));
  CODEXOS_ASSIGN(r.helper->link, Link::make(p_.loop, std::move(fd)));
  r.link_closed = false;
  r.adopting = true;
  listen(r);
  r.helper->link->send(LinkType::hello, Hello{r.row.secret});
  ask_values(r);
  return {};
}

void Supervisor::when_reachable(const std::string& name_or_prefix, std::function<void()> fn) {
  const auto row = find(name_or_prefix);
  Running* r = row.ok() ? find_running(row->task.id) : nullptr;
  // What cannot be waited for is told by the order itself.
  if (r == nullptr || r->finished || r->end_row || reachable(*r)) return fn();
  r->on_reachable.push_back(std::move(fn));
  if (r->reach_timer != 0) return;
  r->reach_timer = p_.loop.after_ms(kReachMs, "orders to a task being taken over",
                                    [this, id = row->task.id] { reached(id); });
}

/// Orders that waited: it takes them now, or they will say why not.
void Supervisor::reached(const std::string& id) {
  Running* r = find_running(id);
  if (r == nullptr) return;
  if (r->reach_timer != 0) p_.loop.cancel(std::exchange(r->reach_timer, 0));
  for (const auto& fn : std::exchange(r->on_reachable, {})) fn();
}

void Supervisor::on_state(Running& r, LinkMessage& m) {
  const auto told = from_binary<ShimState>(m.payload);
  if (!told.ok() || r.end_row || r.finished) return;
  const std::string id = r.row.task.id;
  r.adopting = false;
  if (!r.started && told->started.pid != 0) {  // an execve that failed has no pid
    note_started(r, told->started.at_us);
    r.row.shim_pid = r.helper->process.pid;
    r.row.shim_start_time = r.helper->process.start_time;
    if (r.helper->process.pid != 0) r.row.task.pid = r.helper->process.pid;
    write_started(r);
  }
  if (told->ended) return finish(id, told->end);
  const bool paused = r.row.task.state == TaskState::paused;
  if (told->paused != paused && r.row.task.state != TaskState::stopping)
    r.row.task.state = told->paused ? TaskState::paused : TaskState::running;
  auto s = p_.store.update_task(r.row);
  if (s.ok()) s = add_event(r.row, wire::EventType::task_adopted);
  if (!s.ok()) log_line(LogLevel::error, "task " + id, s.error().message);
  const auto sessions = p_.store.events(id, 0, 10000);
  if (sessions.ok())
    for (const auto& e : *sessions)
      if (e.event.exec_id)
        r.next_exec = std::max(r.next_exec, static_cast<uint64_t>(*e.event.exec_id) + 1);
  reached(id);
}

}  // namespace codexos::daemon
