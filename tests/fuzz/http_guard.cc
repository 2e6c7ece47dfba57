// SPDX-License-Identifier: Apache-2.0
// The guard of plain HTTP connections (daemon/egress/http_guard.h). However the bytes are cut into
// pieces, the same is sent on; and what is sent on holds, for another reader of HTTP, no request to
// another host.
#include "daemon/egress/http_guard.h"

#include "core/base/text.h"
#include "core/http/http.h"
#include "tests/fuzz/fuzz.h"

using namespace codexos;
using namespace codexos::daemon;

namespace {

constexpr char kName[] = "good.test";

struct Sent {
  std::string out;
  bool ok = true;
};

Sent pass(const std::vector<std::string_view>& pieces, std::string_view answer) {
  Sent s;
  HttpGuard guard(kName);
  for (const auto piece : pieces) {
    s.ok = guard.feed(piece, s.out).ok();
    if (!s.ok) return s;
  }
  if (guard.waits_for_answer()) s.ok = guard.answered(answer, s.out).ok();
  return s;
}

/// Up to the first upgrade: then it is the server's word.
void check_other_reader(const std::string& bytes) {
  http::RequestParser parser;
  (void)parser.feed(bytes);
  while (true) {
    const auto next = parser.next();
    if (!next.ok() || !*next) return;
    const http::Headers& headers = (*next)->headers;
    const std::string host(headers.find("host"));
    CODEXOS_CHECK(host.empty() || to_lower(host.substr(0, host.find(':'))) == kName);
    if (!headers.find("upgrade").empty()) return;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input in(data, size);
  const auto most = in.ConsumeIntegralInRange<size_t>(1, 64);
  const std::string_view answer = in.ConsumeBool() ? "HTTP/1.1 101" : "HTTP/1.1 200";
  const std::string text = in.ConsumeRemainingBytesAsString();
  (void)first_bytes(text);
  const Sent whole = pass({text}, answer), cut = pass(fuzz::pieces(text, most), answer);
  CODEXOS_CHECK(whole.ok == cut.ok);
  CODEXOS_CHECK(whole.out == cut.out);
  check_other_reader(whole.out);
  return 0;
}
