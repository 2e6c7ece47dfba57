// SPDX-License-Identifier: Apache-2.0
// Who asks. Made from the socket (never from the request), once per message.
#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/fd.h"
#include "core/os/socket.h"

namespace codexos::daemon {

struct Identity {
  uid_t uid = 0;
  gid_t gid = 0;
  pid_t pid = 0;
  std::string tenant = "default";
};

/// Refuses every peer that is not an allowed uid in the daemon's own user and pid namespaces: a
/// task that got hold of the socket, or of a connection opened outside, is refused. Kernel 6.11 on:
/// SCM_PIDFD and ioctl_nsfs(2)-style PIDFD_GET_USER_NAMESPACE, PIDFD_GET_PID_NAMESPACE. Before: the
/// client's own /proc/self/ns/user descriptor must come as the first descriptor of the first
/// message. Any lookup error refuses.
class PeerCheck {
 public:
  static Result<PeerCheck> make(uid_t own_uid);
  /// Checks the sender of one message. A user namespace descriptor in front of `fds` is compared
  /// and taken out. `namespace_shown` is the connection's memory of it: start with false, pass it
  /// each time.
  Result<Identity> check(const SenderId& sender, std::vector<Fd>& fds, bool& namespace_shown) const;
  /// Tasks without namespaces run in the daemon's own: who descends from one of these processes is
  /// refused. Asked for each message.
  void keep_out(std::function<std::vector<pid_t>()> descendants_of) {
    keepers_ = std::move(descendants_of);
  }

 private:
  struct Inode {
    uint64_t dev = 0, ino = 0;
    bool operator==(const Inode&) const = default;
  };
  static Result<Inode> inode_of(int fd);
  Status check_pidfd(int pidfd) const;
  Status check_descent(pid_t pid) const;

  uid_t uid_ = 0;
  Inode user_ns_;
  Inode pid_ns_;
  bool pidfd_namespaces_ = false;
  std::function<std::vector<pid_t>()> keepers_;  // null: there are none
};

}  // namespace codexos::daemon
