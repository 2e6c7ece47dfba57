// SPDX-License-Identifier: Apache-2.0
// Landlock (Documentation/userspace-api/landlock.rst): the second wall behind the view. Used from
// ABI 2 on (ABI 1 fails every rename between folders); scopes from ABI 6 on.
#pragma once

#include <cstdint>
#include <string>

#include "core/base/error.h"
#include "core/base/fd.h"

namespace codexos {

/// The kernel's ABI; 0: none.
int landlock_abi();

enum class LandlockAccess {
  read,     // read files, list folders, execute
  devices,  // read, plus write, truncate and ioctl on what is there; nothing is made
  write,    // all but making device nodes
};
/// A set of rules that is filled, perhaps ahead of time, and entered once.
class LandlockRuleset {
 public:
  /// `file_rules` false: scopes only (profile nested). With an ABI that is not used, or nothing to
  /// restrict, everything succeeds and does nothing.
  static Result<LandlockRuleset> make(int abi, bool file_rules);
  /// The file or folder, and all below it. `what` names it in errors. The rule goes by inode: what
  /// is mounted over the folder later needs one of its own.
  Status allow(int path_fd, LandlockAccess access, const std::string& what);
  bool has_file_rules() const { return handled_ != 0; }
  /// Restricts this process and its children for ever. Needs no-new-privs or CAP_SYS_ADMIN.
  Status enter();

 private:
  Fd fd_;
  uint64_t handled_ = 0;
};

}  // namespace codexos
