// SPDX-License-Identifier: Apache-2.0
// `codexosd plan -- CMD…`: the binary Plan of a task in the current folder, for `codexos-exec PLAN`
// by hand. Without a daemon and without descriptors; the layer is a folder of its own below the
// state folder, which prune does not know.
#pragma once

#include <string>
#include <vector>

#include "core/base/error.h"

namespace codexos::daemon {

/// Writes the plan's bytes to stdout.
Status write_plan(const std::string& home, const std::vector<std::string>& argv);

}  // namespace codexos::daemon
