// SPDX-License-Identifier: Apache-2.0
#include "daemon/gateway/sse.h"

#include <doctest/doctest.h>

#include <vector>

using namespace codexos::daemon;

namespace {
/// "type|data" of each event, the bytes given in pieces of `size`.
std::vector<std::string> sse_events(std::string_view bytes, size_t size) {
  std::vector<std::string> out;
  SseParser p([&](const SseParser::Event& e) { out.push_back(e.type + "|" + e.data); });
  for (size_t at = 0; at < bytes.size(); at += size) p.feed(bytes.substr(at, size));
  return out;
}
}  // namespace

TEST_CASE("events are the same wherever their bytes are split") {
  const std::string bytes =
      "\xef\xbb\xbf"
      "data: {\"a\":1}\n\n"
      ": a comment\r\n"
      "event: done\r\ndata: one\r\ndata:two\r\n\r\n"
      "data\rid: 7\r\r"
      "event: nothing\n\n"
      "data: \xc3\xa4\n\nretry: 5\n\ndata: unfinished\n";
  const std::vector<std::string> expected = {"|{\"a\":1}", "done|one\ntwo", "|", "|\xc3\xa4"};
  for (size_t size = 1; size <= bytes.size(); ++size) CHECK(sse_events(bytes, size) == expected);
}

TEST_CASE("an event above the limit is left out and the next one is read") {
  std::string bytes = "data: " + std::string(SseParser::kMaxEvent, 'x') + "\ndata: more\n\n";
  bytes += "data: next\n\n";
  CHECK(sse_events(bytes, 1 << 16) == std::vector<std::string>{"|next"});
}
