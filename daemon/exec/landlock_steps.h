// SPDX-License-Identifier: Apache-2.0
// How a task without namespaces is shut in (--isolation landlock): a table of steps of its own, run
// by the keeper, and a second one by the shim that it forks (landlock_task.h). What stands here of
// the rights of each process holds for all that it starts:
//
//   keeper   domain 1: the shim's rules, scopes for signals and abstract sockets; the filters
//   shim     domain 2, the same rules again: it can signal neither the keeper nor anything outside
//   program  domain 3, the task's rules; the filter that asks about modes and times
//
// A process can signal, trace and look into those of its own domain and of domains below it only.
#pragma once

#include <string>
#include <vector>

#include "core/base/fd.h"
#include "core/base/frames.h"
#include "core/base/landlock_plan.h"
#include "core/os/landlock.h"
#include "daemon/exec/seams.h"
#include "daemon/exec/steps.h"

namespace codexos::exec {

/// Linux 6.12: the first with scopes for signals and abstract sockets.
inline constexpr int kLandlockScopes = 6;

struct LandlockBox {
  const LandlockPlan* plan = nullptr;
  Sandbox common;  // for the steps that are the same in a sandbox of namespaces
  LandlockRuleset keeper_wall, shim_wall, task_wall;
  std::vector<std::string> writable;  // where the folders really are that may be written to
  std::vector<Fd> layers;             // of them, those that the task's disk limit counts
  Fd to_shim, to_keeper;              // the ends of a socket between the two
  CallListener guard;                 // of the shim, to be given to the keeper
};

/// What must hold before anything is done: no uid 0, filters present, a kernel with the scopes.
bool check_landlock_plan(const LandlockPlan& plan, StepFailure& why);
/// False and `why` filled when a step failed.
bool shut_keeper_in(LandlockBox& b, StepFailure& why);
bool shut_shim_in(LandlockBox& b, StepFailure& why);

}  // namespace codexos::exec
