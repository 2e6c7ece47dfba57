// SPDX-License-Identifier: Apache-2.0
// The task's cgroup as its process 1 has it: open files (CgroupFiles in core/base/plan.h). Programs
// join it before they are executed, the shim stays outside: it has to see how they end.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/fd.h"
#include "core/base/plan.h"

namespace codexos::exec {

/// This process, and all that it starts, goes into the cgroup of these cgroup.procs files. False
/// with errno.
bool join_cgroup(const std::vector<int>& procs);

class TaskCgroup {
 public:
  TaskCgroup() = default;
  /// Takes what `files` names from the passed descriptors.
  TaskCgroup(const CgroupFiles& files, std::vector<Fd>* fds);

  std::vector<int> procs() const;
  bool counts_memory() const { return static_cast<bool>(memory_); }
  bool counts_cpu() const { return static_cast<bool>(cpu_); }
  bool counts_pids() const { return static_cast<bool>(pids_); }
  /// Without the cache of files that were read: the kernel gives that back when room is needed.
  uint64_t memory_bytes() const;
  uint64_t cpu_us() const;
  uint64_t pids() const;
  /// How often the kernel has killed something for the memory limit.
  uint64_t oom_kills() const;

  bool can_freeze() const { return static_cast<bool>(freezer_); }
  /// Everything in it stands still when it returns. Empty, or why it could not; then it goes on.
  std::string freeze();
  void thaw();

 private:
  bool is_frozen() const;

  int version_ = 0;
  std::vector<Fd> procs_;
  Fd memory_, memory_stat_, oom_, cpu_, pids_, freezer_, events_;
};

}  // namespace codexos::exec
