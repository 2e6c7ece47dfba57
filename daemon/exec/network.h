// SPDX-License-Identifier: Apache-2.0
// The task's network namespace: sends what the daemon compiled (daemon/sandbox/network.h) and makes
// the sockets that the daemon serves. They are made here since a socket belongs to the namespace
// that it was made in: what the daemon accepts on them can come from nowhere else. The shim keeps
// duplicates, so that the next daemon gets them when this one dies.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/fd.h"
#include "core/base/frames.h"
#include "core/base/plan.h"

namespace codexos::exec {

/// Sockets of the namespace, kept open as long as the task lives.
struct Network {
  NetSockets sockets;
  std::vector<Fd> fds;  // in the same order

  void add(NetSocket kind, int32_t port, Fd fd);
  bool empty() const { return fds.empty(); }
  /// For a `network` message.
  std::vector<int> numbers() const;
};

/// Servers on every port, also below 1024, as on any machine of one user; and no pacing as on a
/// long way (BBR), for all of its network is a loopback. `sysctl`: /proc/sys.
Status set_network_defaults(int sysctl);
/// Only lo, raised: for a task without a network.
Status raise_loopback();
/// What of the rules a namespace has. Without any nothing can leave it either: it has no way out.
struct Redirection {
  bool works = false;
  bool logs = false;  // they show what they refuse
};
/// Sends the batches. Needs CAP_NET_ADMIN in the namespace.
Status send_batches(const std::vector<NetlinkBatch>& batches, Redirection& out);
/// Opens the sockets that redirected packets come to; that for refused ones needs CAP_NET_ADMIN.
Status open_sockets(const Redirection& r, Network& out);
/// Both.
Status set_up_network(const std::vector<NetlinkBatch>& batches, Network& out);
/// Where nothing is redirected: listens on a port of all addresses.
Status listen_for_names(int32_t port, Network& out);
/// Listens on a port of 127.0.0.1 and ::1 inside, for --reach.
Status listen_for_reach(int32_t port, Network& out);
/// A socket that connects, or is connected, to a server of the task; errno on failure.
int dial_inside(int32_t port, Fd& out);

}  // namespace codexos::exec
