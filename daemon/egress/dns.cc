// SPDX-License-Identifier: Apache-2.0
#include "daemon/egress/dns.h"

#include <arpa/nameser.h>

namespace codexos::daemon {
namespace {

constexpr size_t kHeader = 12;
constexpr uint8_t kAnswerBit = 0x80, kOpcodeMask = 0x78, kRecursionDesired = 0x01;
constexpr uint8_t kAuthoritative = 0x04, kRecursionAvailable = 0x80;

const u_char* bytes_of(std::string_view s) { return reinterpret_cast<const u_char*>(s.data()); }

void put16(std::string& out, unsigned v) {
  u_char b[2];
  ns_put16(v, b);
  out.append(reinterpret_cast<const char*>(b), sizeof b);
}
void put32(std::string& out, unsigned long v) {
  u_char b[4];
  ns_put32(v, b);
  out.append(reinterpret_cast<const char*>(b), sizeof b);
}

/// How long the name at the start of `s` is, without compression; 0: it has some, or is cut.
size_t plain_name_length(std::string_view s) {
  for (size_t at = 0; at < s.size();) {
    const auto label = static_cast<uint8_t>(s[at]);
    if (label == 0) return at + 1;
    if (label > 63) return 0;
    at += label + 1U;
  }
  return 0;
}

}  // namespace

std::optional<DnsQuery> parse_dns(std::string_view message) {
  if (message.size() < kHeader) return std::nullopt;
  const auto flags = static_cast<uint8_t>(message[2]);
  if ((flags & kAnswerBit) != 0) return std::nullopt;
  DnsQuery q;
  q.head = message.substr(0, 4);
  ns_msg parsed;
  if ((flags & kOpcodeMask) != 0 ||
      ns_initparse(bytes_of(message), static_cast<int>(message.size()), &parsed) < 0 ||
      ns_msg_count(parsed, ns_s_qd) != 1 || ns_msg_count(parsed, ns_s_an) != 0)
    return q;
  ns_rr question;
  if (ns_parserr(&parsed, ns_s_qd, 0, &question) < 0) return q;
  const size_t name = plain_name_length(message.substr(kHeader));
  constexpr size_t kTypeAndClass = 4;
  if (name == 0 || message.size() < kHeader + name + kTypeAndClass) return q;
  q.question = message.substr(kHeader, name + kTypeAndClass);
  q.name = ns_rr_name(question);
  q.type = ns_rr_type(question);
  q.internet = ns_rr_class(question) == ns_c_in;
  q.query = true;
  return q;
}

bool asks_for_a(const DnsQuery& q) { return q.type == ns_t_a; }

std::string dns_reply(const DnsQuery& q, DnsCode code, uint32_t address) {
  std::string out = q.head.substr(0, 2);
  const auto asked = static_cast<uint8_t>(q.head[2]);
  const auto first = static_cast<uint8_t>(kAnswerBit | kAuthoritative |
                                          (asked & (kOpcodeMask | kRecursionDesired)));
  out.push_back(static_cast<char>(first));
  out.push_back(static_cast<char>(kRecursionAvailable | static_cast<uint8_t>(code)));
  put16(out, q.question.empty() ? 0 : 1);
  put16(out, address == 0 ? 0 : 1);
  put16(out, 0);
  put16(out, 0);
  out += q.question;
  if (address == 0) return out;
  constexpr unsigned kNameOfTheQuestion = 0xc000U | kHeader;
  put16(out, kNameOfTheQuestion);
  put16(out, ns_t_a);
  put16(out, ns_c_in);
  put32(out, kDnsTtl);
  put16(out, sizeof address);
  put32(out, address);
  return out;
}

}  // namespace codexos::daemon
