// SPDX-License-Identifier: Apache-2.0
// What nflog tells of a packet that the task's rules refused (linux/netfilter/nfnetlink_log.h):
// where it was going to.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/policy/ip_address.h"

namespace codexos::daemon {

struct RefusedPacket {
  IpAddress to;
  uint16_t port = 0;
  std::string protocol;  // "UDP", "ICMP", or "protocol N"
};

/// Of one message of the kernel, which may hold several.
std::vector<RefusedPacket> parse_refused(std::string_view message);

}  // namespace codexos::daemon
