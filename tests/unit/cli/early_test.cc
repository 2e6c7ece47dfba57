// SPDX-License-Identifier: Apache-2.0
// What the early start takes for a plain end, against what the shim writes.
#include "cli/early.h"

#include <doctest/doctest.h>

#include "cli/relay.h"
#include "core/base/binary.h"
#include "core/base/frames.h"

namespace codexos::cli {
namespace {

using Is = PlainEnd::Is;

const std::string kReplyHead =
    "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\ncodexos-task: abc\r\n\r\n";

ExitFrame plain_exit() {
  ExitFrame e;
  e.outcome.cause = Cause::exited;
  e.outcome.code = 7;
  e.recorded = true;
  return e;
}
std::string reply_of(const ExitFrame& e) {
  return kReplyHead + make_frame(FrameType::exit, 0, to_binary(e));
}
PlainEnd read_end(const std::string& text) { return plain_end(text.data(), text.size()); }

TEST_CASE("a plain end is known by each of its bytes") {
  ExitFrame e = plain_exit();
  for (const char* note : {"", "1 file changed"}) {
    e.note = note;
    const std::string whole = reply_of(e);
    const PlainEnd end = read_end(whole);
    REQUIRE(end.is == Is::plain);
    CHECK(end.code == 7);
    CHECK(std::string(end.note, end.note_size) == note);
    for (size_t n = 0; n < whole.size(); ++n) CHECK(read_end(whole.substr(0, n)).is != Is::plain);
    CHECK(read_end(whole + "x").is == Is::other);
  }
}

TEST_CASE("every other end is left to the client") {
  const auto changed = [](auto change) {
    ExitFrame e = plain_exit();
    change(e);
    return read_end(reply_of(e)).is;
  };
  CHECK(changed([](ExitFrame& e) { e.outcome.cause = Cause::signaled; }) == Is::other);
  CHECK(changed([](ExitFrame& e) { e.outcome.signal = 9; }) == Is::other);
  CHECK(changed([](ExitFrame& e) { e.outcome.code = -1; }) == Is::other);
  CHECK(changed([](ExitFrame& e) { e.outcome.code = 256; }) == Is::other);
  CHECK(changed([](ExitFrame& e) { e.outcome.detail = "why"; }) == Is::other);
  CHECK(changed([](ExitFrame& e) { e.recorded = false; }) == Is::other);
  CHECK(changed([](ExitFrame& e) { e.output_error = "no space"; }) == Is::other);
  CHECK(read_end("HTTP/1.1 503 Service Unavailable\r\n\r\n").is == Is::other);
  CHECK(read_end(kReplyHead + make_frame(FrameType::output, 1, std::string(60, 'x'))).is ==
        Is::other);
  CHECK(read_end(kReplyHead + make_frame(FrameType::note, 0, "a note")).is == Is::other);
}

}  // namespace
}  // namespace codexos::cli
