// SPDX-License-Identifier: Apache-2.0
// DNS messages from a task (daemon/egress/dns.h). A reply is for the same id and question, is no
// query itself, and is never much larger than what was asked.
#include "daemon/egress/dns.h"

#include "core/policy/host_name.h"
#include "tests/fuzz/fuzz.h"

using namespace codexos;
using namespace codexos::daemon;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto q = parse_dns(text);
  if (!q) return 0;
  CODEXOS_CHECK(q->query != q->question.empty());
  (void)asks_for_a(*q);
  (void)clean_host_name(q->name);
  for (const DnsCode code :
       {DnsCode::ok, DnsCode::format_error, DnsCode::not_implemented, DnsCode::refused}) {
    const std::string reply = dns_reply(*q, code, code == DnsCode::ok ? 0x0a000001 : 0);
    CODEXOS_CHECK(reply.substr(0, 2) == text.substr(0, 2));
    CODEXOS_CHECK(reply.size() <= text.size() + 16);
    CODEXOS_CHECK(!parse_dns(reply));
    CODEXOS_CHECK(reply.substr(12, q->question.size()) == q->question);
  }
  return 0;
}
