// SPDX-License-Identifier: Apache-2.0
// How a sandbox is built: tables of steps, run in order. The view's can be done ahead of time by a
// parked helper, the job's need the task; a zygote has the parts of the view ready that all tasks
// can share. A step that fails ends everything with its name, errno and text; nothing is
// half-started.
#pragma once

#include <string>
#include <vector>

#include "core/base/fd.h"
#include "core/base/frames.h"
#include "core/base/plan.h"
#include "core/os/landlock.h"
#include "daemon/exec/network.h"
#include "daemon/exec/seams.h"

namespace codexos::exec {

struct Sandbox {
  const View* view = nullptr;
  const Job* job = nullptr;
  std::vector<Fd>* view_fds = nullptr;  // passed with the view
  std::vector<Fd>* job_fds = nullptr;   // passed with the job
  int map_ready = -1;  // a byte comes when the outer process has written the id maps
  // Of a zygote's helper, whose working directory is the zygote's template.
  bool held = false;           // the view's descriptors are mounted in the template
  bool network_ready = false;  // it was cloned into its network namespace, which is set up
  bool shared_units = false;   // the root and all that is read-only in it are the template's
  Fd root;                     // of the new root, a tmpfs, until it is complete
  bool inside = false;         // it is the root of this process
  bool job_began = false;      // what the user and earlier tasks put there may be on the way
  std::string parent_path;     // the folder that was put into last, with its descriptor: lists
  Fd parent;                   // come folder by folder
  Fd ahead;                    // an overlay that was mounted before the job came, detached
  LandlockRuleset wall;
  std::vector<Fd>
      seal;  // tmpfs mounts that become read-only when nothing is put into them any more
  CallListener seams;
  Network network;
  std::vector<Fd> layers;  // what is held back, where the job has a disk limit: O_PATH
};

/// What a zygote has ready: the root of the view with all that is put into it and is no task's own,
/// each tmpfs of it read-only (/, /etc, /dev without terminals, /proc/sys), and the filters. That
/// holds nothing of one task and nobody can write to it, so that tasks share it; everything else is
/// each task's own.
bool build_template(Sandbox& s, StepFailure& why);
/// By hand: the whole view in the process that the outer one has made.
bool build_view(Sandbox& s, StepFailure& why);
/// In a zygote's child: the same, with what the template has.
bool build_view_of_helper(Sandbox& s, StepFailure& why);
/// Mounts an overlay that the job will probably bring, with `s.job_fds`; the job then says `ready`.
Status mount_ahead(Sandbox& s, const Overlay& o);
/// False and `why` filled when a step failed, as for the others.
bool build_job(Sandbox& s, StepFailure& why);

/// What must hold before anything is built: no host uid 0, no inside uid 0, filters present.
bool check_view(const View& view, StepFailure& why);

}  // namespace codexos::exec
