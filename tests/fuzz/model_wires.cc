// SPDX-License-Identifier: Apache-2.0
// What tasks and providers send to the model gateway (daemon/gateway): streams are read the same
// however they are cut, and a request that was edited is one that is read again, with its limit.
#include "daemon/gateway/sse.h"
#include "daemon/gateway/wires.h"
#include "tests/fuzz/fuzz.h"

using namespace codexos;
using namespace codexos::daemon;

namespace {

std::string read_events(const std::vector<std::string_view>& pieces) {
  std::string out;
  SseParser p([&](const SseParser::Event& e) { out += e.type + "\1" + e.data + "\2"; });
  for (const auto piece : pieces) p.feed(piece);
  return out;
}

void check_request(Endpoint endpoint, const std::string& text) {
  const auto r = parse_model_request(endpoint, text);
  if (!r.ok()) return;
  const std::string edited = edit_request(*r, text, {"other", 7, false});
  const auto again = parse_model_request(endpoint, edited);
  CODEXOS_CHECK(again.ok());
  CODEXOS_CHECK(again->model == "other");
  if (endpoint != Endpoint::embeddings) CODEXOS_CHECK(*again->max_output <= 7);
  (void)read_usage(endpoint, r->body);
  std::optional<ModelUsage> u;
  (void)add_stream_usage(endpoint, r->body, u);
  CODEXOS_CHECK(!u || u->cached_input + u->cache_write <= u->input);
  (void)streamed_text(endpoint, r->body);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input in(data, size);
  const auto most = in.ConsumeIntegralInRange<size_t>(1, 64);
  const std::string text = in.ConsumeRemainingBytesAsString();
  CODEXOS_CHECK(read_events({text}) == read_events(fuzz::pieces(text, most)));
  for (const Endpoint e :
       {Endpoint::chat, Endpoint::responses, Endpoint::messages, Endpoint::embeddings})
    check_request(e, text);
  return 0;
}
