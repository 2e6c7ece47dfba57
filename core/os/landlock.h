// SPDX-License-Identifier: Apache-2.0
// Landlock (Documentation/userspace-api/landlock.rst): the second wall behind the view. Used from
// ABI 2 on (ABI 1 fails every rename between folders); scopes from ABI 6 on.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/error.h"

namespace codexos {

/// The kernel's ABI; 0: none.
int landlock_abi();

enum class LandlockAccess {
  read,     // read files, list folders, execute
  devices,  // read, plus write, truncate and ioctl on what is there; nothing is made
  write,    // all but making device nodes
};
struct LandlockRule {
  std::string path;  // absolute, must exist
  LandlockAccess access;
};
/// Restricts this process and its children for ever. `file_rules` false: scopes only (profile
/// nested). Needs no-new-privs or CAP_SYS_ADMIN.
Status enter_landlock(int abi, bool file_rules, const std::vector<LandlockRule>& rules);

}  // namespace codexos
