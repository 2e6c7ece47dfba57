// SPDX-License-Identifier: Apache-2.0
// Takes single paths back out of a task's held-back changes, as if it had never touched them. What
// the task's own layer says about them is removed; where the real entry does not come through by
// that (an earlier task's layer, or a folder that was made anew, hides it), the layer gets a copy
// of the real entry, or a whiteout.
//
// Writes into the layer only, so no sandbox may have it mounted. A crash leaves some of the paths
// done: asked for again, the rest follows.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "daemon/workspace/workspace.h"

namespace codexos::daemon {

/// `patterns` as is_selected() has them (apply_prepare.h). Returns how many changes went. Errors:
/// not_found: none of them is a change; conflict: a folder above is no folder for the task.
Result<uint64_t> discard_paths(const std::vector<Root>& roots,
                               const std::vector<std::string>& patterns);

}  // namespace codexos::daemon
