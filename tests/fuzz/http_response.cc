// SPDX-License-Identifier: Apache-2.0
// Responses as the command line reads them (core/http), whole or streamed. However the bytes are
// cut into pieces, status, headers and body are the same, and so is what lies behind the response.
#include "core/http/http.h"
#include "tests/fuzz/fuzz.h"

using namespace codexos;

namespace {

struct Taken {
  bool ok = true, done = false;
  size_t used = 0;
  http::Response response;
  std::string streamed;
};

Taken take(const std::vector<std::string_view>& pieces, bool streams) {
  Taken out;
  http::ResponseParser parser;
  if (streams) parser.stream_body([&out](std::string_view piece) { out.streamed += piece; });
  for (const auto piece : pieces) {
    const auto used = parser.feed(piece);
    out.ok = used.ok();
    if (!out.ok) return out;
    CODEXOS_CHECK(*used <= piece.size());
    out.used += *used;
    if (parser.done()) break;
  }
  out.ok = parser.finish().ok();
  out.done = parser.done();
  out.response = parser.response();
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input in(data, size);
  const auto most = in.ConsumeIntegralInRange<size_t>(1, 64);
  const bool streams = in.ConsumeBool();
  const std::string text = in.ConsumeRemainingBytesAsString();
  const Taken whole = take({text}, streams);
  const Taken cut = take(fuzz::pieces(text, most), streams);
  CODEXOS_CHECK(whole.ok == cut.ok);
  if (!whole.ok) return 0;
  CODEXOS_CHECK(whole.done && cut.done);
  CODEXOS_CHECK(whole.used == cut.used);
  CODEXOS_CHECK(whole.response.status == cut.response.status);
  CODEXOS_CHECK(whole.response.headers.map == cut.response.headers.map);
  CODEXOS_CHECK(whole.response.body == cut.response.body);
  CODEXOS_CHECK(whole.streamed == cut.streamed);
  return 0;
}
