// SPDX-License-Identifier: Apache-2.0
// Rules of what a task may reach (core/policy), and names and addresses in them. A rule that is
// read is written as one that is read as the same and admits the same; a clean name is clean.
#include "core/policy/net_rules.h"

#include "core/policy/host_name.h"
#include "tests/fuzz/fuzz.h"

using namespace codexos;

namespace {

void check_rule(const NetRule& r) {
  CODEXOS_CHECK(!r.ports.empty());
  const auto again = parse_net_rule(to_text(r));
  CODEXOS_CHECK(again.ok() && again->size() == 1);
  const NetRule& same = again->front();
  CODEXOS_CHECK(to_text(same) == to_text(r));
  CODEXOS_CHECK(covers({r}, same) && covers({same}, r));
  if (r.kind == NetRule::Kind::network) {
    const IpAddress& a = r.network.base;
    CODEXOS_CHECK(match_address({r}, a, 443) == nullptr || admits_resolved(r, effective(a)));
  } else {
    CODEXOS_CHECK(clean_host_name(r.name).ok() && *clean_host_name(r.name) == r.name);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  if (const auto rules = parse_net_rule(text); rules.ok())
    for (const NetRule& r : *rules) check_rule(r);
  if (const auto name = clean_host_name(text); name.ok()) {
    const auto again = clean_host_name(*name);
    CODEXOS_CHECK(again.ok() && *again == *name);
    CODEXOS_CHECK(!parse_ip(*name));
  }
  if (const auto name = host_name_from_user(text); name.ok())
    CODEXOS_CHECK(clean_host_name(*name).ok());
  if (const auto a = parse_ip(text)) {
    const auto again = parse_ip(to_text(*a));
    CODEXOS_CHECK(again && *again == *a);
    (void)kind_of(*a);
  }
  return 0;
}
