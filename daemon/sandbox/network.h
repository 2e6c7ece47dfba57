// SPDX-License-Identifier: Apache-2.0
// The network namespace of a task that may reach something: what codexos-exec sends to the kernel,
// compiled once (this is the home of libnftnl and libmnl). Every address is local, so nothing can
// leave; all TCP that does not go to the task's own loopback is redirected to one listener, DNS to
// another, and everything else is refused in a way that programs understand.
//
//   127.0.0.0/8, 0.0.0.0, ::1, 198.18.0.1   the task's own servers, untouched
//   DNS (UDP, TCP 53) to any server         127.0.0.53:53, IPv6: [::1]:1
//   all other TCP                           127.255.255.77:1, IPv6: [::1]:1
//   other UDP                               port unreachable, so that QUIC falls back to TCP
//   echo requests                           prohibited; other ICMP passes, or our own unreachables
//                                           would be eaten
//   anything else                           dropped
//
// 198.18.0.1 is on lo since lookups with AI_ADDRCONFIG fail where only 127.0.0.1 is.
#pragma once

#include <vector>

#include "core/base/error.h"
#include "core/base/plan.h"

namespace codexos::daemon {

/// Error unavailable: a library could not make it.
Result<std::vector<NetlinkBatch>> network_batches();

}  // namespace codexos::daemon
