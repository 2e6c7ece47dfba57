// SPDX-License-Identifier: Apache-2.0
// What of a git dir is data: objects, refs, logs, heads, the index (gitrepository-layout(5)).
// Everything else in one is read as settings, names programs, or points somewhere else. The list is
// of what passes, so that what git invents next is asked about.
#pragma once

#include <string>
#include <string_view>

#include "daemon/workspace/layers.h"

namespace codexos::daemon {

enum class GitPart {
  data,     // passes
  config,   // passes when the keys do
  exclude,  // info/exclude: passes when it excludes nothing
  other,    // protected
};
/// `rel`: relative to the git dir, spelled as it is: the list knows git's own spelling only.
GitPart git_part(std::string_view rel, const Delta& d);

/// Only comments and empty lines, as git's template has it.
bool excludes_nothing(std::string_view text);

}  // namespace codexos::daemon
