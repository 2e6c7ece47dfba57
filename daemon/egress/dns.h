// SPDX-License-Identifier: Apache-2.0
// DNS messages (RFC 1035): a task's query taken apart, and the reply to it. The wire format is read
// by glibc's ns_parserr family; whether a name is answered is decided elsewhere.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace codexos::daemon {

inline constexpr uint32_t kDnsTtl = 10;  // seconds

enum class DnsCode : uint8_t {
  ok = 0,
  format_error = 1,
  not_implemented = 4,
  refused = 5,
};

struct DnsQuery {
  std::string head;      // id and flags of the query
  std::string question;  // as it came, for the reply
  std::string name;      // as text; what is no letter, digit or hyphen is escaped (\000)
  uint16_t type = 0;     // ns_t_a, ...
  bool internet = false;
  bool query = false;  // a standard query with one question; else nothing above is set but head
};

/// Nothing: not even a header, or an answer; it gets no reply.
std::optional<DnsQuery> parse_dns(std::string_view message);
bool asks_for_a(const DnsQuery& q);
/// `address`: of the A record, in host order; 0: no record.
std::string dns_reply(const DnsQuery& q, DnsCode code, uint32_t address);

}  // namespace codexos::daemon
