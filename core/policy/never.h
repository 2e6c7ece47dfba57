// SPDX-License-Identifier: Apache-2.0
// What a task never finds unless it was asked for by name: credentials, keyrings, browsers, what
// the user typed. None of them can be a workspace, and no folder that is shown brings them along.
#pragma once

#include <string>
#include <vector>

#include "core/os/host.h"

namespace codexos {

/// Files and folders (with everything in them), absolute, sorted, whether they exist or not.
std::vector<std::string> never_shown(const Caller& c);

}  // namespace codexos
