// SPDX-License-Identifier: Apache-2.0
// What all processes of the task use together, measured by its process 1. A cgroup tells memory,
// CPU time and processes where the task has one; else they are summed over /proc, which is cheap
// (the resident sets, shared pages counted for each) until that sum comes near the limit, and then
// exact (proportional shares, smaps_rollup of proc(5)). Files without a name (memfd_create(2),
// deleted ones) are found among the open descriptors. Room on disk is what the layers, the scratch
// space and the log take.
//
// Not seen without a cgroup: the kernel's own memory for the task, and what is in a nameless file
// that is neither open nor mapped any more but in flight (a socket).
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/base/fd.h"
#include "core/base/frames.h"
#include "core/base/plan.h"
#include "core/os/disk_use.h"
#include "daemon/exec/cgroup_files.h"
#include "daemon/exec/limit_watch.h"
#include "daemon/exec/processes.h"

namespace codexos::exec {

class Meter {
 public:
  /// `job` and `view` outlive it; `view` says where scratch space is; null: there is none.
  /// `layers`: folders of held-back changes.
  Meter(const Job& job, const View* view, const TaskCgroup& cgroup, std::vector<Fd> layers,
        Realm realm = Realm::pid_namespace);

  enum class Depth { cheap, exact };
  /// `log_bytes`: what its log takes. With `exact` all of the layers is looked at, else a piece of
  /// them, and memory is looked at closely only when `watch` says that a limit is near.
  Measure measure(const LimitWatch& watch, Depth depth, uint64_t log_bytes);
  /// Whether memory of the last measure() was told exactly, not as an upper bound.
  bool memory_is_exact() const { return exact_; }
  bool is_walking() const { return walk_ != nullptr; }

 private:
  struct Table;
  void find_scratch();
  uint64_t scratch_bytes() const;
  void look_at_processes(Table& t);
  void look_at_files(int proc, const char* pid, Table& t);
  void walk_layers(Depth depth);

  const Job& job_;
  const View* view_;  // null: scratch space was looked for
  const TaskCgroup& cgroup_;
  const Realm realm_;
  std::vector<Fd> layers_;
  std::vector<std::string> scratch_;
  std::set<uint64_t> scratch_devices_;
  CpuTally cpu_;
  bool exact_ = false;
  uint64_t last_pid_ = 0;           // at the last look
  std::unique_ptr<DiskWalk> walk_;  // of the layer that is being looked at
  size_t walked_ = 0;               // layers that are done
  uint64_t walked_bytes_ = 0;
  uint64_t layer_bytes_ = 0;  // at the last time that all were done
  int64_t walk_cost_us_ = 0;
  int64_t walk_again_us_ = 0;
};

}  // namespace codexos::exec
