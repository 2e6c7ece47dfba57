// SPDX-License-Identifier: Apache-2.0
// A cgroup for each task that has a limit which the kernel can hold in one: memory, processors,
// processes. The daemon makes it below the cgroup that it is in itself, so that what limits the
// daemon goes on to hold, and gives the shim the files that it reads and joins by; the kernel holds
// the limits whoever dies. Version 2 where the daemon's part of the hierarchy was delegated to it
// (or is the root), else version 1 where it may make folders.
//
// Nothing of this is touched before the first task asks for it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/base/fd.h"
#include "core/base/limits.h"
#include "core/os/cgroup.h"

namespace codexos::daemon {

struct CgroupSupport {
  int version = 0;                       // 1 or 2; 0: none
  std::vector<std::string> controllers;  // that can be used: memory, cpu, cpuacct, pids, freezer
  std::string why;                       // something is missing
  bool has(std::string_view controller) const;
};

/// Files of a task's cgroup, opened: what CgroupFiles (core/base/plan.h) names.
struct TaskCgroup {
  int version = 0;
  std::vector<Fd> join;
  Fd memory, memory_stat, oom, cpu, pids, freezer, events;
};

/// The folder of a task's cgroup in each hierarchy: tells state folders apart.
std::string task_cgroup_name(const std::string& home, const std::string& task);

class Cgroups {
 public:
  /// `home`: the state folder.
  explicit Cgroups(std::string home) : home_(std::move(home)) {}

  /// Tried out when it is asked for the first time.
  const CgroupSupport& support();
  /// Error unavailable: the kernel refused; nothing is left of it.
  Result<TaskCgroup> create(const std::string& task, const TaskLimits& limits);
  /// Where a task's cgroup is or was, also if an earlier daemon made it.
  std::vector<std::string> folders_of(const std::string& task);
  /// Lets its frozen processes go on, so that they can be killed (version 1).
  void thaw(const std::string& task);
  /// Removes cgroups of this state folder whose task is not among `live`.
  void sweep(const std::vector<std::string>& live);

 private:
  /// A folder of a hierarchy in which tasks get theirs.
  struct Parent {
    std::string path;
    std::vector<std::string> controllers;
  };
  bool try_v2(const std::vector<CgroupMount>& mounts);
  void try_v1(const std::vector<CgroupMount>& mounts);
  Result<std::string> base_of_v2(const std::string& own) const;
  Status try_out(const std::string& parent) const;
  void remember_parents();
  const std::vector<std::string>& known_parents();
  std::string folder_for(std::string_view controller, const std::string& name) const;
  Status put_limits(const std::string& name, const TaskLimits& limits) const;
  TaskCgroup open_files(const std::string& name) const;

  std::string home_;
  bool asked_ = false;
  CgroupSupport support_;
  std::vector<Parent> parents_;
  bool read_ = false;
  std::vector<std::string> known_;  // parents of this and earlier daemons
};

/// rmdir(2) of each; one that processes are just leaving is tried again for a moment. Missing is
/// fine. True: they are gone.
bool remove_cgroups(const std::vector<std::string>& folders);

}  // namespace codexos::daemon
