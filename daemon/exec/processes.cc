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

bool is_init() { return getpid() == 1; }

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
bool each_process(F&& f) {
  DIR* dir = is_init() ? opendir("/proc") : nullptr;
  if (dir == nullptr) return false;
  while (const dirent* e = readdir(dir)) {
    Process p;
    if (e->d_name[0] >= '1' && e->d_name[0] <= '9' && read_process(dirfd(dir), e->d_name, p)) f(p);
  }
  closedir(dir);
  return true;
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

void signal_all(int signo) {
  if (is_init()) kill(-1, signo);
}

void signal_session(pid_t leader, int signo) {
  bool met = false;
  each_process([&](const Process& p) {
    if (p.session != leader && p.pid != leader) return;
    met = met || p.pid == leader;
    kill(p.pid, signo);
  });
  if (!met) kill(leader, signo);
}

std::string Pause::stop() {
  if (active_) return {};
  before_.clear();
  std::vector<pid_t> told;
  size_t fresh = 0;
  for (int sweep = 0; sweep < kSweeps; ++sweep) {
    size_t running = 0;
    fresh = 0;
    const bool seen = each_process([&](const Process& p) {
      if (is_dead(p.state) || holds(before_, p.pid)) return;
      if (holds(told, p.pid)) {
        // 'D' has its stop pending and will not run another instruction of its own. Others may
        // have been continued by one that was still running.
        if (is_stopped(p.state) || p.state == 'D') return;
        ++running;
        kill(p.pid, SIGSTOP);
      } else if (is_stopped(p.state)) {
        put(before_, p.pid);
      } else if (kill(p.pid, SIGSTOP) == 0) {
        put(told, p.pid);
        ++fresh;
      }
    });
    if (!seen) return "cannot read /proc inside the task";
    active_ = true;
    if (fresh == 0 && running == 0) return {};
    if (fresh == 0) usleep(kSweepPauseUs);
  }
  if (fresh == 0) return {};  // all have their stop pending
  resume();
  return "processes start faster than they can be stopped";
}

void Pause::resume() {
  if (!active_) return;
  active_ = false;
  std::vector<pid_t> all;
  each_process([&](const Process& p) {
    if (!is_dead(p.state) && !holds(before_, p.pid)) put(all, p.pid);
  });
  for (auto pid = all.rbegin(); pid != all.rend(); ++pid) kill(*pid, SIGCONT);
  before_.clear();
}

}  // namespace codexos::exec
