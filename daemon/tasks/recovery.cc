// SPDX-License-Identifier: Apache-2.0
// After a daemon's death or upgrade: each unfinished task is asked by the lock of its `alive` file.
// Held: its shim lives and is adopted through shim.sock. Free, and the recorded process gone too (a
// dying process closes its files before its namespace is empty): its record tells the end, or it is
// lost. Nothing is guessed, and nothing is decided while one of the two conditions is open.
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/json/json.h"
#include "core/os/socket.h"
#include "core/os/spawn.h"
#include "daemon/tasks/supervisor.h"

namespace codexos::daemon {
namespace {

constexpr int64_t kRetryMs = 1000;

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
    tasks_[id] = std::move(r);
    recover_one(id);
  }
  return {};
}

/// Also asked again: when an adoption failed, or a living shim's link closed.
void Supervisor::recover_one(const std::string& id) {
  Running* r = find_running(id);
  if (r == nullptr || r->finished || r->end_row) return;
  const TaskPaths files = paths(r->row);
  auto process = read_alive(files.alive(), p_.boot_id);
  if (process && process_start_time(process->pid) != process->start_time) process.reset();
  const bool locked = is_alive_locked(files.alive());
  if (!locked && !process) {
    r->link_closed = true;
    r->process_gone = true;
    maybe_resolve(*r);
    return;
  }
  if (locked) {
    const auto adopted = adopt(*r, process);
    if (adopted.ok()) return;
    log_line(LogLevel::warning, "task " + id, "not adopted yet: " + adopted.error().message);
  }
  // Its end is near (lock free, process there) or its shim is busy: look again.
  p_.loop.after_ms(kRetryMs, "recover task", [this, id] { recover_one(id); });
}

Status Supervisor::adopt(Running& r, const std::optional<PidInfo>& process) {
  CODEXOS_ASSIGN(Fd fd, connect_unix(paths(r.row).socket(), SocketType::seqpacket));
  auto helper = std::make_unique<Helper>();
  CODEXOS_ASSIGN(helper->link, Link::make(p_.loop, std::move(fd)));
  if (r.helper && r.helper->pidfd) p_.loop.forget(r.helper->pidfd.get());
  if (process) {
    auto pidfd = open_pidfd(process->pid);
    // The pid may have been used again between two looks.
    if (pidfd.ok() && process_start_time(process->pid) == process->start_time) {
      helper->pidfd = *std::move(pidfd);
      helper->process = *process;
    }
  }
  r.helper = std::move(helper);
  r.link_closed = false;
  r.process_gone = false;
  listen(r);
  if (r.helper->pidfd) watch_process(r);
  r.helper->link->send(LinkType::hello, Hello{r.row.secret});
  return {};
}

void Supervisor::on_state(Running& r, LinkMessage& m) {
  const auto told = from_binary<ShimState>(m.payload);
  if (!told.ok() || r.end_row || r.finished) return;
  const std::string id = r.row.task.id;
  if (!r.started && told->started.at_us != 0) {
    r.started = true;
    r.row.started_at_us = told->started.at_us;
    r.row.task.started_at = format_time(told->started.at_us);
    if (const auto next = next_state(r.row.task.state, TaskInput::started); next.ok())
      r.row.task.state = *next;
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
}

}  // namespace codexos::daemon
