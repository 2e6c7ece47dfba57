// SPDX-License-Identifier: Apache-2.0
#include "daemon/egress/dns.h"

#include <doctest/doctest.h>

#include "core/base/egress_net.h"
#include "core/policy/host_name.h"
#include "daemon/egress/names.h"

using namespace codexos;
using namespace codexos::daemon;

namespace {
using namespace std::string_literals;
/// A query for A of `name` in wire format ("\3www\4test\0").
std::string query(const std::string& name, char type = 1) {
  return "\x12\x34\x01\0\0\1\0\0\0\0\0\0"s + name + "\0"s + type + "\0\1"s;
}
}  // namespace

TEST_CASE("a query is taken apart and answered with an address") {
  const auto q = parse_dns(query("\3wWw\4test\0"s));
  REQUIRE(q);
  REQUIRE(q->query);
  CHECK(q->name == "wWw.test");
  CHECK(asks_for_a(*q));
  const std::string reply = dns_reply(*q, DnsCode::ok, 0xc6120002);
  CHECK(reply.substr(0, 2) == "\x12\x34");
  CHECK((reply[2] & 0x80) != 0);
  CHECK((reply[3] & 0xf) == 0);
  CHECK(reply.find("\3wWw\4test\0"s) == 12);  // as it was asked, letter by letter
  CHECK(reply.substr(reply.size() - 4) == "\xc6\x12\0\2"s);
}

TEST_CASE("a refusal carries the question and no answer") {
  const auto q = parse_dns(query("\3www\4test\0"s));
  const std::string reply = dns_reply(*q, DnsCode::refused, 0);
  CHECK((reply[3] & 0xf) == 5);
  CHECK(reply.substr(4, 4) == "\0\1\0\0"s);
  CHECK(reply.size() == query("\3www\4test\0"s).size());
}

TEST_CASE("bytes that no name has are seen, not lost") {
  for (const auto& evil : {"\x06"
                           "evil\0x\4test\0"s,
                           "\5a.b.c\4test\0"s, "\4a\\b \4test\0"s}) {
    const auto q = parse_dns(query(evil));
    REQUIRE(q);
    CHECK_FALSE(clean_host_name(q->name).ok());
  }
}

TEST_CASE("broken messages get an error or nothing, never an answer") {
  CHECK_FALSE(parse_dns(""));
  CHECK_FALSE(parse_dns("\x12\x34\x01\0"s));
  CHECK_FALSE(parse_dns("\x12\x34\x81\0\0\1\0\0\0\0\0\0"s));         // an answer
  CHECK_FALSE(parse_dns("\x12\x34\x01\0\0\1\0\0\0\0\0\0"s)->query);  // without its question
  CHECK_FALSE(parse_dns("\x12\x34\x01\0\0\2\0\0\0\0\0\0"s)->query);  // two
  CHECK_FALSE(parse_dns("\x12\x34\x29\0\0\1\0\0\0\0\0\0"s)->query);  // an update
  CHECK_FALSE(parse_dns(query("\xc0\x0c"s))->query);                 // a pointer to itself
  CHECK_FALSE(parse_dns(query("\x3f"
                              "abc\0"s))
                  ->query);
  const std::string good = query("\3www\4test\0"s);
  for (size_t n = 0; n < good.size(); ++n)
    if (const auto q = parse_dns(good.substr(0, n))) CHECK_FALSE(q->query);
}

TEST_CASE("each name has one address and each address one name") {
  SyntheticNames n;
  const uint32_t a = n.address_of("a.test"), b = n.address_of("b.test");
  CHECK(a != b);
  CHECK(n.address_of("a.test") == a);
  CHECK(*n.name_of(a) == "a.test");
  CHECK(n.name_of(b + 1) == nullptr);
  CHECK(n.name_of(kNetOwn) == nullptr);
  CHECK((a & 0xfffe0000) == kNetNames);
}

TEST_CASE("names of a wildcard have a budget and a rate") {
  LabelBudget b;
  int64_t now = 1'000'000;
  for (int i = 0; i < LabelBudget::kBurst; ++i) CHECK(b.take(now));
  CHECK_FALSE(b.take(now));
  now += 1'000'000;
  for (int i = 0; i < LabelBudget::kEachSecond; ++i) CHECK(b.take(now));
  CHECK_FALSE(b.take(now));
  int taken = LabelBudget::kBurst + LabelBudget::kEachSecond;
  while (taken < 2 * LabelBudget::kAll && b.take(now += 1'000'000)) ++taken;
  CHECK(taken == LabelBudget::kAll);
}
