// SPDX-License-Identifier: Apache-2.0
// The processes of the task, seen from its shim through /proc: signals to all of them, and pause
// and resume by SIGSTOP and SIGCONT where the task has no cgroup to freeze. Everything here does
// nothing where there is no realm: "all" would be the machine.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "daemon/exec/cgroup_files.h"

namespace codexos::exec {

/// What makes all processes that the caller may signal those of the task.
enum class Realm {
  none,
  pid_namespace,  // the caller is its PID 1
  // The caller is in a Landlock domain with a signal scope (landlock(7), ABI 6): the kernel refuses
  // it every signal to a process that is not in the domain, and kill(-1) leaves those out
  // (kill(2)). Must have been proven (landlock_steps.cc): else kill(-1) is the user's whole
  // session.
  signal_scope
};
Realm own_realm();
bool is_of_task(Realm realm, pid_t pid);

/// All processes but this one.
void signal_all(Realm realm, int signo);
/// The session that `leader` began: it and what it started, but not what left by setsid(2).
void signal_session(Realm realm, pid_t leader, int signo);

class Pause {
 public:
  /// `cgroup`: of the task; where it can be frozen, that is the pause.
  explicit Pause(TaskCgroup& cgroup, Realm realm = own_realm()) : cgroup_(cgroup), realm_(realm) {}
  bool active() const { return active_; }
  /// Sweeps until nothing new runs, at most about 100 ms. Empty, or why it could not; then
  /// everything runs as before.
  std::string stop();
  /// Children first, so that a shell with job control does not see its jobs as stopped. What was
  /// stopped before the pause stays so.
  void resume();

 private:
  struct Sweep {
    size_t fresh = 0;    // told to stop for the first time
    size_t running = 0;  // not standing still yet
  };
  bool sweep(std::vector<pid_t>& told, Sweep& out);

  TaskCgroup& cgroup_;
  const Realm realm_;
  bool active_ = false;
  std::vector<pid_t> before_;  // stopped by the task itself, sorted
};

}  // namespace codexos::exec
