// SPDX-License-Identifier: Apache-2.0
// What holds each limit of a task: a cgroup where there is one, else rlimits and looking (the shim
// measures). Pure.
#pragma once

#include <vector>

#include "core/base/error.h"
#include "core/base/limits.h"
#include "core/base/plan.h"
#include "core/wire/task.h"
#include "daemon/sandbox/cgroups.h"

namespace codexos::daemon {

/// Whether such a task gets a cgroup where there is one.
bool wants_cgroup(const TaskLimits& limits, wire::LimitDriver driver);
/// A row for each limit. Error denied: a policy demands a cgroup, and there is none that holds all
/// of them.
Result<std::vector<wire::LimitHeld>> hold_limits(const TaskLimits& limits, wire::LimitDriver driver,
                                                 const CgroupSupport& cgroups);
/// The part of the limits that the task's process 1 and the kernel's rlimits hold.
void put_limits(const TaskLimits& limits, const CgroupSupport& cgroups, Job& job);

}  // namespace codexos::daemon
