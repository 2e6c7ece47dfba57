// SPDX-License-Identifier: Apache-2.0
// What changed in a git folder, in words: "main +2 commits, now on topic". Refs and loose objects
// are read as the bytes that they are (gitrepository-layout(5)); no repository is opened, nothing
// is run, and what does not parse is passed over: the task wrote it. The cost is that of what
// changed.
#pragma once

#include <string>
#include <vector>

#include "daemon/workspace/layers.h"

namespace codexos::daemon {

/// `git_dir`: relative to the root, "" when the root is a git folder; `deltas`: all that changed in
/// it. Empty: nothing that has a word of its own.
std::string git_note(const LayerStack& stack, const std::string& git_dir,
                     const std::vector<Delta>& deltas);

}  // namespace codexos::daemon
