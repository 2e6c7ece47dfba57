// SPDX-License-Identifier: Apache-2.0
// Network namespaces of tasks that have no network. Making and destroying one costs more than the
// rest of a task's namespaces together, so that one in which nothing was ever sent is used again.
// They belong to the zygote's user namespace: no task has rights over the one that it runs in.
#pragma once

#include <sys/types.h>

#include <list>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/base/fd.h"

namespace codexos::exec {

class SpareNetworks {
 public:
  /// The calling process gets a namespace with its own loopback for its next child: a spare one, or
  /// a new one. Needs CAP_SYS_ADMIN and CAP_NET_ADMIN in its user namespace. Error: as the kernel
  /// says; where the namespace's settings cannot be written (/proc/sys read-only), too.
  /// It is not tried again then.
  Status enter();
  /// The child that `process` (pidfd) names runs in it.
  void lend(Fd process);
  /// Waits until `fd` is readable; takes back meanwhile what ended tasks leave.
  void wait_for(int fd);

 private:
  struct Lease {
    Fd process, network;
  };
  Status make();
  void take_back(Lease lease);

  bool possible_ = true;
  Fd current_;
  std::list<Lease> leases_;
  std::vector<Fd> spare_;
};

/// What /proc/net/sockstat, sockstat6 and dev say of a namespace that is as new: no socket of any
/// kind, no connection that waits for its end, nothing received on the loopback.
bool is_unused(std::string_view sockstat, std::string_view sockstat6, std::string_view dev);

}  // namespace codexos::exec
