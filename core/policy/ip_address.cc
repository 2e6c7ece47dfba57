// SPDX-License-Identifier: Apache-2.0
#include "core/policy/ip_address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <vector>

namespace codexos {
namespace {

struct Range {
  const char* network;
  Reach reach;
  const char* why;
};

// The first row that fits counts.
constexpr Range kRanges[] = {
    {"169.254.169.254/32", Reach::nowhere, "cloud metadata"},
    {"169.254.170.2/32", Reach::nowhere, "cloud metadata"},    // ECS task credentials
    {"168.63.129.16/32", Reach::nowhere, "cloud metadata"},    // Azure's wire server
    {"100.100.100.200/32", Reach::nowhere, "cloud metadata"},  // Alibaba
    {"192.0.0.192/32", Reach::nowhere, "cloud metadata"},      // Oracle
    {"fd00:ec2::254/128", Reach::nowhere, "cloud metadata"},
    {"fd20:ce::254/128", Reach::nowhere, "cloud metadata"},  // Google, IPv6-only machines
    {"0.0.0.0/8", Reach::nowhere, "this network"},
    {"10.0.0.0/8", Reach::near, "private network"},
    {"100.64.0.0/10", Reach::near, "carrier-grade NAT"},
    {"127.0.0.0/8", Reach::near, "loopback"},
    {"169.254.0.0/16", Reach::nowhere, "link-local"},
    {"172.16.0.0/12", Reach::near, "private network"},
    {"192.0.0.0/24", Reach::nowhere, "protocol assignments"},
    {"192.0.2.0/24", Reach::nowhere, "documentation"},
    {"192.88.99.0/24", Reach::nowhere, "6to4 relay"},
    {"192.168.0.0/16", Reach::near, "private network"},
    {"198.18.0.0/15", Reach::nowhere, "benchmarking"},  // also what tasks get for names
    {"198.51.100.0/24", Reach::nowhere, "documentation"},
    {"203.0.113.0/24", Reach::nowhere, "documentation"},
    {"224.0.0.0/4", Reach::nowhere, "multicast"},
    {"240.0.0.0/4", Reach::nowhere, "reserved"},  // with the broadcast address
    {"::1/128", Reach::near, "loopback"},
    {"::/128", Reach::nowhere, "unspecified"},
    {"64:ff9b:1::/48", Reach::nowhere, "local NAT64"},  // what is embedded where is local knowledge
    {"100::/64", Reach::nowhere, "discard"},
    {"2001::/23", Reach::nowhere, "protocol assignments"},  // Teredo, ORCHID, benchmarking
    {"2001:db8::/32", Reach::nowhere, "documentation"},
    {"3fff::/20", Reach::nowhere, "documentation"},
    {"5f00::/16", Reach::nowhere, "segment routing"},
    {"fc00::/7", Reach::near, "unique local"},
    {"fe80::/10", Reach::nowhere, "link-local"},
    {"fec0::/10", Reach::near, "site-local"},
    {"ff00::/8", Reach::nowhere, "multicast"},
    {"2000::/3", Reach::everywhere, "public"},
    {"::/0", Reach::nowhere, "reserved"},
};

struct ParsedRange {
  IpNetwork network;
  Reach reach;
  const char* why;
};

const std::vector<ParsedRange>& ranges() {
  static const std::vector<ParsedRange> all = [] {
    std::vector<ParsedRange> out;
    for (const auto& r : kRanges) {
      auto n = parse_network(r.network);
      CODEXOS_CHECK(n.ok());
      out.push_back({*n, r.reach, r.why});
    }
    return out;
  }();
  return all;
}

bool same_bits(const IpAddress& a, const IpAddress& b, int bits) {
  const auto whole = static_cast<size_t>(bits / 8);
  if (!std::equal(a.bytes.begin(), a.bytes.begin() + static_cast<long>(whole), b.bytes.begin()))
    return false;
  if (bits % 8 == 0) return true;
  const int mask = 0xff << (8 - bits % 8);
  return ((a.bytes[whole] ^ b.bytes[whole]) & mask & 0xff) == 0;
}

IpAddress embedded(const IpAddress& a, size_t at) {
  IpAddress v4;
  std::copy_n(a.bytes.begin() + static_cast<long>(at), 4, v4.bytes.begin());
  return v4;
}

}  // namespace

std::optional<IpAddress> parse_ip(std::string_view text) {
  if (text.size() >= INET6_ADDRSTRLEN || text.find('\0') != std::string_view::npos)
    return std::nullopt;
  const std::string s(text);
  IpAddress a;
  a.v6 = s.find(':') != std::string::npos;
  if (inet_pton(a.v6 ? AF_INET6 : AF_INET, s.c_str(), a.bytes.data()) != 1) return std::nullopt;
  return a;
}

std::string to_text(const IpAddress& a) {
  char buffer[INET6_ADDRSTRLEN] = {};
  inet_ntop(a.v6 ? AF_INET6 : AF_INET, a.bytes.data(), buffer, sizeof buffer);
  return buffer;
}

IpAddress ipv4(uint32_t octets) {
  IpAddress a;
  for (size_t i = 0; i < 4; ++i) a.bytes[i] = static_cast<uint8_t>(octets >> (24 - 8 * i));
  return a;
}

uint32_t ipv4_value(const IpAddress& a) {
  uint32_t v = 0;
  for (size_t i = 0; i < 4; ++i) v = v << 8 | a.bytes[i];
  return v;
}

Result<IpNetwork> parse_network(std::string_view text) {
  const size_t slash = text.find('/');
  const auto address = parse_ip(text.substr(0, slash));
  if (!address)
    return Error{Code::invalid, std::string(text.substr(0, slash)) + " is no IP address", {}};
  IpNetwork n{*address, static_cast<int>(address->size() * 8)};
  if (slash == std::string_view::npos) return n;
  const std::string_view digits = text.substr(slash + 1);
  int bits = -1;
  const auto [end, bad] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
  if (bad != std::errc() || end != digits.data() + digits.size() || bits < 0 || bits > n.bits)
    return Error{Code::invalid,
                 "the prefix length of " + std::string(text) + " is no number from 0 to " +
                     std::to_string(n.bits),
                 {}};
  n.bits = bits;
  IpAddress base;
  base.v6 = address->v6;
  for (int i = 0; i < bits; ++i) {
    const auto at = static_cast<size_t>(i / 8);
    base.bytes[at] =
        static_cast<uint8_t>(base.bytes[at] | (address->bytes[at] & (0x80 >> (i % 8))));
  }
  if (!(base == *address))
    return Error{Code::invalid, std::string(text) + " has bits behind its prefix",
                 "write " + to_text(IpNetwork{base, bits})};
  return n;
}

bool contains(const IpNetwork& n, const IpAddress& a) {
  return n.base.v6 == a.v6 && same_bits(n.base, a, n.bits);
}

bool contains(const IpNetwork& outer, const IpNetwork& inner) {
  return outer.bits <= inner.bits && contains(outer, inner.base);
}

std::string to_text(const IpNetwork& n) { return to_text(n.base) + "/" + std::to_string(n.bits); }

IpAddress effective(const IpAddress& a) {
  if (!a.v6) return a;
  static constexpr uint8_t kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  static constexpr uint8_t kNat64[12] = {0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0};
  static constexpr uint8_t kZero[12] = {};
  for (const auto* prefix : {kMapped, kNat64})
    if (std::equal(prefix, prefix + 12, a.bytes.begin())) return embedded(a, 12);
  // ::a.b.c.d, but neither :: nor ::1
  if (std::equal(kZero, kZero + 12, a.bytes.begin()) &&
      (a.bytes[12] != 0 || a.bytes[13] != 0 || a.bytes[14] != 0))
    return embedded(a, 12);
  if (a.bytes[0] == 0x20 && a.bytes[1] == 0x02) return embedded(a, 2);
  return a;
}

AddressKind kind_of(const IpAddress& a) {
  const IpAddress e = effective(a);
  for (const auto& r : ranges())
    if (contains(r.network, e)) return {r.reach, r.why};
  return {};  // IPv4 that is in no row
}

}  // namespace codexos
