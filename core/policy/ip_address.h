// SPDX-License-Identifier: Apache-2.0
// IP addresses and networks as values, and what an address is good for. A task must not get from
// the internet into the machine that it runs on or into the network around it, so every address
// that the daemon dials is looked at after the name was resolved. Ranges follow the IANA registries
// of special-purpose addresses (RFC 6890).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/error.h"

namespace codexos {

struct IpAddress {
  bool v6 = false;
  std::array<uint8_t, 16> bytes{};  // network order; IPv4: the first four

  bool operator==(const IpAddress& o) const { return v6 == o.v6 && bytes == o.bytes; }
  size_t size() const { return v6 ? 16 : 4; }
};

/// Four decimal numbers without leading zeros, or IPv6 (RFC 4291) without a zone. Nothing else.
std::optional<IpAddress> parse_ip(std::string_view text);
std::string to_text(const IpAddress& a);
/// `octets` in host order.
IpAddress ipv4(uint32_t octets);
uint32_t ipv4_value(const IpAddress& a);

struct IpNetwork {
  IpAddress base;  // the bits behind the prefix are zero
  int bits = 0;
};
/// ADDRESS/BITS, or an address alone. Error invalid: also when bits behind the prefix are set.
Result<IpNetwork> parse_network(std::string_view text);
bool contains(const IpNetwork& n, const IpAddress& a);
bool contains(const IpNetwork& outer, const IpNetwork& inner);
std::string to_text(const IpNetwork& n);

/// The address that packets to `a` reach in the end: what is embedded in v4-mapped, v4-compatible,
/// NAT64 (RFC 6052, well-known prefix) and 6to4 addresses, else `a`.
IpAddress effective(const IpAddress& a);

enum class Reach {
  everywhere,  // the internet
  near,        // this machine or the network around it: only a rule marked `private` gets there
  nowhere,     // link-local, cloud metadata, multicast, reserved: no rule gets there
};
/// `why` is the range's name, for the event: "loopback", "private network", "cloud metadata", ...
struct AddressKind {
  Reach reach = Reach::everywhere;
  const char* why = "public";
};
AddressKind kind_of(const IpAddress& a);

}  // namespace codexos
