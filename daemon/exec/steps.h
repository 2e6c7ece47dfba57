// SPDX-License-Identifier: Apache-2.0
// How a sandbox is built: two tables of steps, run in order in the task's PID 1. The first (view)
// can be done ahead of time by a parked helper; the second (job) needs the task. A step that fails
// ends everything with its name, errno and text; nothing is half-started.
#pragma once

#include <string>
#include <vector>

#include "core/base/fd.h"
#include "core/base/frames.h"
#include "core/base/plan.h"

namespace codexos::exec {

struct Sandbox {
  const View* view = nullptr;
  const Job* job = nullptr;
  std::vector<Fd>* view_fds = nullptr;  // passed with park
  std::vector<Fd>* job_fds = nullptr;   // passed with the job
  int map_ready = -1;  // a byte comes when the outer process has written the id maps
  Fd root;             // O_PATH of the new root, a tmpfs, before it is entered
  std::vector<Fd>
      seal;  // tmpfs mounts that become read-only when nothing is put into them any more
};

/// Both: false and `why` filled when a step failed.
bool build_view(Sandbox& s, StepFailure& why);
bool build_job(Sandbox& s, StepFailure& why);

/// What must hold before anything is built: no host uid 0, no inside uid 0, filters present.
bool check_view(const View& view, StepFailure& why);

}  // namespace codexos::exec
