// SPDX-License-Identifier: Apache-2.0
// Network namespaces of a zygote's tasks. Making and destroying one costs more than the rest of a
// task's namespaces together, and more with the rules of a task with a network, so that one in
// which nothing was ever sent is used again. They belong to the zygote's user namespace: no task
// has rights over the one that it runs in.
#pragma once

#include <sys/types.h>

#include <list>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/base/fd.h"
#include "core/base/plan.h"
#include "daemon/exec/network.h"

namespace codexos::exec {

class SpareNetworks {
 public:
  /// `batches`: of the view; empty: only its own loopback.
  explicit SpareNetworks(const std::vector<NetlinkBatch>& batches) : batches_(batches) {}

  /// The calling process gets a namespace for its next child, and its sockets: a spare one, or a
  /// new one. Needs CAP_SYS_ADMIN and CAP_NET_ADMIN in its user namespace. Error: as the kernel
  /// says; where the namespace's settings cannot be written (/proc/sys read-only), too. It is not
  /// tried again then, and nothing is in `out`.
  Status enter(Network& out);
  /// The child that `process` (pidfd) names runs in it.
  void lend(Fd process);
  /// Waits until the eventfd `wake` is readable or `link` at its end; takes back meanwhile what
  /// ended tasks leave.
  void wait_for(int link, int wake);

 private:
  struct Space {
    Fd network;
    Redirection redirection;
  };
  struct Lease {
    Fd process;
    Space space;
  };
  Status make();
  bool enter_spare();

  const std::vector<NetlinkBatch>& batches_;
  bool possible_ = true;
  Space current_;
  std::list<Lease> leases_;
  std::vector<Space> spare_;  // of ended tasks, whatever they did there
};

/// What /proc/net/sockstat, sockstat6 and dev say of a namespace that is as new: no socket of any
/// kind, no connection that waits for its end, nothing received on the loopback.
bool is_unused(std::string_view sockstat, std::string_view sockstat6, std::string_view dev);

}  // namespace codexos::exec
