// SPDX-License-Identifier: Apache-2.0
// A root daemon reads and writes a user's repository with that user's rights.
#pragma once

#include <sys/fsuid.h>
#include <unistd.h>

#include "daemon/workspace/workspace.h"

namespace codexos::daemon {

/// Under root, what is opened and written meanwhile is so by the folder's owner (setfsuid(2): this
/// thread).
class AsOwner {
 public:
  explicit AsOwner(const Root& r) : on_(geteuid() == 0 && r.owner_uid != 0) {
    if (!on_) return;
    setfsgid(r.owner_gid);
    setfsuid(r.owner_uid);
  }
  ~AsOwner() {
    if (!on_) return;
    setfsuid(0);
    setfsgid(0);
  }
  AsOwner(const AsOwner&) = delete;
  AsOwner& operator=(const AsOwner&) = delete;

 private:
  bool on_;
};

}  // namespace codexos::daemon
