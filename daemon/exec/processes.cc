// SPDX-License-Identifier: Apache-2.0
#include "daemon/exec/processes.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "core/base/fd.h"

namespace codexos::exec {
namespace {

constexpr int kSweeps = 100;
constexpr useconds_t kSweepPauseUs = 1000;

struct Process {
  pid_t pid = 0;
  char state = '?';
  pid_t session = 0;
};

// proc(5), /proc/PID/stat: "PID (name) S PPID PGRP SESSION ...". The name may hold anything.
bool read_process(int proc_fd, const char* name, Process& out) {
  char path[32];
  std::snprintf(path, sizeof path, "%.20s/stat", name);
  const Fd fd(openat(proc_fd, path, O_RDONLY | O_CLOEXEC));
  if (!fd) return false;
  char text[512];
  const ssize_t n = read(fd.get(), text, sizeof text - 1);
  if (n <= 0) return false;
  text[n] = '\0';
  const char* close = std::strrchr(text, ')');
  int parent = 0, group = 0, session = 0;
  if (close == nullptr ||
      std::sscanf(close + 1, " %c %d %d %d", &out.state, &parent, &group, &session) != 4)
    return false;
  out.pid = static_cast<pid_t>(std::strtol(name, nullptr, 10));
  out.session = session;
  return out.pid > 1;
}

// Calls f(Process) for each process but this one; false when /proc cannot be read.
template <class F>
bool each_process(Realm realm, F&& f) {
  DIR* dir = realm != Realm::none ? opendir("/proc") : nullptr;
  if (dir == nullptr) return false;
  while (const dirent* e = readdir(dir)) {
    const auto pid = static_cast<pid_t>(std::strtol(e->d_name, nullptr, 10));
    Process p;
    if (pid > 1 && pid != getpid() && is_of_task(realm, pid) &&
        read_process(dirfd(dir), e->d_name, p))
      f(p);
  }
  closedir(dir);
  return true;
}

// Whether a SIGSTOP has been sent that the process has not come to yet (proc(5), ShdPnd).
bool stop_is_pending(pid_t pid) {
  char text[4096];
  std::snprintf(text, sizeof text, "/proc/%d/status", pid);
  const Fd fd(open(text, O_RDONLY | O_CLOEXEC));
  const ssize_t n = fd ? read(fd.get(), text, sizeof text - 1) : -1;
  if (n <= 0) return false;
  text[n] = '\0';
  const char* at = std::strstr(text, "\nShdPnd:");
  const unsigned long long set = at != nullptr ? std::strtoull(at + 8, nullptr, 16) : 0;
  return (set >> (SIGSTOP - 1) & 1U) != 0;
}

bool is_dead(char state) { return state == 'Z' || state == 'X'; }
bool is_stopped(char state) { return state == 'T' || state == 't'; }

bool holds(const std::vector<pid_t>& sorted, pid_t pid) {
  return std::binary_search(sorted.begin(), sorted.end(), pid);
}
void put(std::vector<pid_t>& sorted, pid_t pid) {
  sorted.insert(std::upper_bound(sorted.begin(), sorted.end(), pid), pid);
}

}  // namespace

Realm own_realm() { return getpid() == 1 ? Realm::pid_namespace : Realm::none; }

bool is_of_task(Realm realm, pid_t pid) {
  return realm == Realm::pid_namespace || (realm == Realm::signal_scope && kill(pid, 0) == 0);
}

// One call: it is atomic against fork(2), which fails for a parent that has a signal to come to.
void signal_all(Realm realm, int signo) {
  if (realm != Realm::none) kill(-1, signo);
}

void signal_session(Realm realm, pid_t leader, int signo) {
  bool met = false;
  each_process(realm, [&](const Process& p) {
    if (p.session != leader && p.pid != leader) return;
    met = met || p.pid == leader;
    kill(p.pid, signo);
  });
  if (!met) kill(leader, signo);
}

// One look at all processes. Those that the task stopped itself are remembered, also when they have
// not come to their stop yet; all others are told to stop, and told again when one that was still
// running continued them. 'D' has its stop pending and runs no further instruction of its own.
bool Pause::sweep(std::vector<pid_t>& told, Sweep& out) {
  out = {};
  return each_process(realm_, [&](const Process& p) {
    if (is_dead(p.state)) return;
    const bool known = holds(told, p.pid) || holds(before_, p.pid);
    if (is_stopped(p.state) || (known && p.state == 'D')) {
      if (!known) put(before_, p.pid);
      return;
    }
    ++out.running;
    if (stop_is_pending(p.pid)) {
      if (!known) put(before_, p.pid);
      return;
    }
    before_.erase(std::remove(before_.begin(), before_.end(), p.pid), before_.end());
    if (kill(p.pid, SIGSTOP) != 0 || holds(told, p.pid)) return;
    put(told, p.pid);
    ++out.fresh;
  });
}

std::string Pause::stop() {
  if (active_) return {};
  if (cgroup_.can_freeze()) {
    std::string why = cgroup_.freeze();
    active_ = why.empty();
    return why;
  }
  before_.clear();
  std::vector<pid_t> told;
  Sweep s;
  for (int i = 0; i < kSweeps; ++i) {
    if (!sweep(told, s)) return "cannot read /proc";
    active_ = true;
    if (s.running == 0) return {};
    if (s.fresh == 0) usleep(kSweepPauseUs);
  }
  if (s.fresh == 0) return {};  // all have their stop pending
  resume();
  return "processes start faster than they can be stopped";
}

void Pause::resume() {
  if (!active_) return;
  active_ = false;
  if (cgroup_.can_freeze()) return cgroup_.thaw();
  std::vector<pid_t> all;
  each_process(realm_, [&](const Process& p) {
    if (!is_dead(p.state) && !holds(before_, p.pid)) put(all, p.pid);
  });
  for (auto pid = all.rbegin(); pid != all.rend(); ++pid) kill(*pid, SIGCONT);
  before_.clear();
}

}  // namespace codexos::exec
