// SPDX-License-Identifier: Apache-2.0
// Requests to the daemon's socket (core/http). However the bytes are cut into pieces, the same
// requests come out (an error may be seen earlier in larger pieces); and a request that was taken
// and is written again is taken as the same.
#include "core/http/http.h"
#include "tests/fuzz/fuzz.h"

using namespace codexos;

namespace {

struct Taken {
  std::vector<http::Request> requests;
  int error_status = 0;
};

Taken take(const std::vector<std::string_view>& pieces) {
  Taken out;
  http::RequestParser parser;
  for (const auto piece : pieces) {
    (void)parser.feed(piece);
    (void)parser.take_continue();
    while (true) {
      auto next = parser.next();
      if (!next.ok() || !*next) break;
      out.requests.push_back(std::move(**next));
    }
    out.error_status = parser.error_status();
    if (out.error_status != 0) break;
  }
  return out;
}

std::string encoded_path(const std::string& path) {
  std::string out;
  for (const char c : path) out += c == '/' ? "/" : http::percent_encode(std::string_view(&c, 1));
  return out;
}

bool same(const http::Request& a, const http::Request& b) {
  return a.method == b.method && a.path == b.path && a.query == b.query && a.body == b.body;
}

void check_written(const http::Request& r) {
  http::Request plain = r;
  for (const char* name : {"transfer-encoding", "content-length", "connection", "upgrade"})
    plain.headers.map.erase(name);
  const std::string text =
      http::write_request(plain, http::make_target(encoded_path(r.path), r.query));
  if (text.size() - r.body.size() > http::kMaxHead) return;
  const Taken again = take({text});
  CODEXOS_CHECK(again.error_status == 0);
  CODEXOS_CHECK(again.requests.size() == 1);
  CODEXOS_CHECK(same(again.requests[0], r));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input in(data, size);
  const auto most = in.ConsumeIntegralInRange<size_t>(1, 64);
  const std::string text = in.ConsumeRemainingBytesAsString();
  const Taken whole = take({text});
  const Taken cut = take(fuzz::pieces(text, most));
  CODEXOS_CHECK(whole.requests.size() == cut.requests.size());
  for (size_t i = 0; i < whole.requests.size(); ++i) {
    CODEXOS_CHECK(same(whole.requests[i], cut.requests[i]));
    CODEXOS_CHECK(whole.requests[i].headers.map == cut.requests[i].headers.map);
    check_written(whole.requests[i]);
  }
  return 0;
}
