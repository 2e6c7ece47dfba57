// SPDX-License-Identifier: Apache-2.0
// The shim: PID 1 of a task after its sandbox is built. It starts the program on the daemon's word,
// owns its stdio, terminal and log, serves the attached clients, enforces the time limits, records
// the end, and outlives the daemon. By hand (no link) it only reaps and hands on the exit code.
#pragma once

#include <vector>

#include "core/base/fd.h"
#include "core/base/plan.h"
#include "core/os/landlock.h"
#include "daemon/exec/network.h"
#include "daemon/exec/processes.h"
#include "daemon/exec/seams.h"

namespace codexos::exec {

struct ShimContext {
  int link_fd = -1;  // to the daemon, or -1 by hand; the shim closes it
  const Job* job = nullptr;
  std::vector<Fd>* fds = nullptr;  // passed descriptors, by the indices that the job names
  CallListener seams;
  Network network;
  const View* view = nullptr;  // where scratch space is; null: there is none
  std::vector<Fd> layers;      // what is held back, where the job has a disk limit
  Realm realm = own_realm();
  LandlockRuleset* wall = nullptr;  // that programs enter, inside of the shim's own; null: none
};

/// Returns only when the task is over and acknowledged; the caller _exits with it. By hand that is
/// the exit code of the program; else nobody looks at it.
int run_shim(ShimContext& c);

}  // namespace codexos::exec
