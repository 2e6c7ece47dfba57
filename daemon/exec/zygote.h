// SPDX-License-Identifier: Apache-2.0
// A zygote: one process that makes the helpers of one view. It has the view's units ready (steps.h)
// and clones a helper into namespaces of its own within a few hundred microseconds; starting a
// program for each costs as much as the whole task. It is in a user and a mount namespace of its
// own and knows nothing of any task; a helper's user namespace is its own, below the zygote's.
#pragma once

#include <vector>

#include "core/base/fd.h"
#include "core/base/frames.h"
#include "core/base/plan.h"

namespace codexos::exec {

inline constexpr int kZygoteLink = 3;
inline constexpr int kZygoteWake = 4;  // an eventfd(2): one more message is on the link

/// The namespaces of a task, beside the user namespace (clone(2) flags).
unsigned long namespaces_of(const View& view);

/// The zygote itself, in namespaces of its own: builds the template, then makes helpers until its
/// link closes. `map_ready`: as Sandbox's. The text of files that all tasks share leaves `view`,
/// and with it the memory of every task.
[[noreturn]] void serve_helpers(View& view, std::vector<Fd>& view_fds, int map_ready);

/// No helper can be made: tells every one that is asked for why, until the link closes.
void refuse_all(const StepFailure& why);

}  // namespace codexos::exec
