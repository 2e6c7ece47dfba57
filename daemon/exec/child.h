// SPDX-License-Identifier: Apache-2.0
// Starts a program inside the built sandbox: the payload, and each `exec` session.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/frames.h"
#include "core/base/plan.h"
#include "core/os/landlock.h"
#include "daemon/exec/seams.h"

namespace codexos::exec {

struct ChildSpec {
  const std::vector<std::string>* argv = nullptr;
  const std::vector<std::string>* env = nullptr;
  std::string cwd;
  int stdio[3] = {-1, -1, -1};  // become 0, 1, 2; borrowed
  int tty_fd = -1;              // becomes the controlling terminal of the new session; -1: none
  uint32_t umask = 022;
  int32_t nice = 0;
  const std::vector<Limit>* limits = nullptr;
  std::vector<int> cgroup;  // cgroup.procs files that it joins by; borrowed
  // BPF that is loaded with a listener right before execve, for the program and all that it starts;
  // null: none. execve waits for an answer already, so `seams` gets the listener before it.
  const std::string* listened = nullptr;
  Seams* seams = nullptr;
  LandlockRuleset* wall = nullptr;  // entered before execve; null: none
};

/// Forks and executes; returns the pid when execve succeeded. On failure the child is reaped, and
/// `why` says the step with the typed errno of execve: cause not_found, not_executable or
/// start_failed.
Result<pid_t> start_child(const ChildSpec& spec, StepFailure& why);

}  // namespace codexos::exec
