// SPDX-License-Identifier: Apache-2.0
// What of git the workspace needs: where the work tree begins, and which of git's folders lie
// outside of it (worktrees, submodules; gitrepository-layout(5)). By structure alone, git is not
// run. A `.git` file comes with the repository and can name any folder, so a folder counts only if
// it is a git dir and points back at this work tree.
#pragma once

#include <string>
#include <vector>

#include "core/os/host.h"

namespace codexos::daemon {

/// The nearest folder at or above `dir` with a `.git` that is a git dir or names one.
bool find_git_top(const std::string& dir, const Host& host, PathFact& top);

/// The git dir and the common dir of the work tree `top`, as far as they lie outside of it and in
/// none of each other; outermost first.
std::vector<PathFact> git_dirs_outside(const PathFact& top, const Host& host);

}  // namespace codexos::daemon
