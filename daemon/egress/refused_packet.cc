// SPDX-License-Identifier: Apache-2.0
#include "daemon/egress/refused_packet.h"

#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <linux/netlink.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <optional>

namespace codexos::daemon {
namespace {

std::string protocol_name(uint8_t number) {
  switch (number) {
    case IPPROTO_UDP:
      return "UDP";
    case IPPROTO_ICMP:
    case IPPROTO_ICMPV6:
      return "ICMP";
    default:
      return "protocol " + std::to_string(number);
  }
}

uint16_t port_at(std::string_view packet, size_t header, uint8_t protocol) {
  const bool has_ports = protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP ||
                         protocol == IPPROTO_DCCP || protocol == IPPROTO_UDPLITE;
  if (!has_ports || packet.size() < header + 4) return 0;
  return static_cast<uint16_t>(static_cast<uint8_t>(packet[header + 2]) << 8 |
                               static_cast<uint8_t>(packet[header + 3]));
}

std::optional<RefusedPacket> parse_packet(std::string_view p) {
  constexpr size_t kHeader4 = 20, kHeader6 = 40;
  if (p.empty()) return std::nullopt;
  const int version = static_cast<uint8_t>(p[0]) >> 4;
  RefusedPacket r;
  uint8_t protocol = 0;
  size_t header = 0;
  if (version == 4 && p.size() >= kHeader4) {
    protocol = static_cast<uint8_t>(p[9]);
    header = (static_cast<uint8_t>(p[0]) & 0xfU) * 4U;
    std::memcpy(r.to.bytes.data(), p.data() + 16, 4);
  } else if (version == 6 && p.size() >= kHeader6) {
    protocol = static_cast<uint8_t>(p[6]);
    header = kHeader6;
    r.to.v6 = true;
    std::memcpy(r.to.bytes.data(), p.data() + 24, 16);
  } else {
    return std::nullopt;
  }
  r.protocol = protocol_name(protocol);
  r.port = port_at(p, header, protocol);
  return r;
}

void parse_attributes(std::string_view a, std::vector<RefusedPacket>& out) {
  while (a.size() >= sizeof(nlattr)) {
    nlattr head{};
    std::memcpy(&head, a.data(), sizeof head);
    if (head.nla_len < sizeof head || head.nla_len > a.size()) return;
    if ((head.nla_type & NLA_TYPE_MASK) == NFULA_PAYLOAD)
      if (auto r =
              parse_packet(a.substr(NLA_HDRLEN, head.nla_len - static_cast<size_t>(NLA_HDRLEN))))
        out.push_back(*std::move(r));
    a.remove_prefix(std::min<size_t>(a.size(), NLA_ALIGN(head.nla_len)));
  }
}

}  // namespace

std::vector<RefusedPacket> parse_refused(std::string_view message) {
  std::vector<RefusedPacket> out;
  while (message.size() >= sizeof(nlmsghdr)) {
    nlmsghdr head{};
    std::memcpy(&head, message.data(), sizeof head);
    if (head.nlmsg_len < sizeof head || head.nlmsg_len > message.size()) break;
    constexpr size_t kBefore = sizeof(nlmsghdr) + sizeof(nfgenmsg);
    if (head.nlmsg_type == (NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET) && head.nlmsg_len > kBefore)
      parse_attributes(message.substr(kBefore, head.nlmsg_len - kBefore), out);
    message.remove_prefix(std::min<size_t>(message.size(), NLMSG_ALIGN(head.nlmsg_len)));
  }
  return out;
}

}  // namespace codexos::daemon
