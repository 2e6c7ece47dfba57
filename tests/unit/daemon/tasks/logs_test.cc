// SPDX-License-Identifier: Apache-2.0
// Reading logs that a shim writes: pieces by cursor, characters whole, the cut middle told.
#include "daemon/tasks/logs.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>

#include "core/base/plan.h"
#include "core/base/text.h"
#include "tests/unit/temp_dir.h"

namespace codexos::daemon {
namespace {

constexpr uint64_t kCap = uint64_t{64} << 20;

/// Plays the shim: writes streams as LogLayout says, and the counters.
struct Shim {
  Shim() {
    REQUIRE(make_dirs(home.path + "/tenants/default/tasks", 0700).ok());
    auto made = create_task_files(paths, "boot", {});
    REQUIRE(made.ok());
    fds = *std::move(made);
  }
  void write(int stream, std::string_view bytes) {
    const LogLayout layout{kCap};
    const int fd = stream == 0 ? fds.stdout_log.get() : fds.stderr_log.get();
    uint64_t& total = totals[stream];
    while (!bytes.empty()) {
      const uint64_t at = layout.position(total);
      const uint64_t edge = at < layout.head() ? layout.head() : kCap;
      const size_t n = static_cast<size_t>(std::min<uint64_t>(bytes.size(), edge - at));
      REQUIRE(pwrite(fd, bytes.data(), n, static_cast<off_t>(at)) == static_cast<ssize_t>(n));
      total += n;
      bytes.remove_prefix(n);
    }
    REQUIRE(pwrite(fds.record.get(), totals, sizeof totals, offsetof(Record, stream_bytes)) ==
            static_cast<ssize_t>(sizeof totals));
  }
  LogReader reader() { return LogReader(paths, "task"); }

  TempDir home;
  TaskPaths paths{home.path, "default", "abcdefghijkl"};
  TaskFds fds;
  uint64_t totals[2] = {};
};

std::string all_text(LogReader& log, int stream, bool final) {
  std::string out;
  REQUIRE(log.refresh().ok());
  while (true) {
    auto piece = log.next(stream, final);
    REQUIRE(piece.ok());
    if (!*piece) return out;
    out += (*piece)->text;
  }
}

TEST_CASE("each stream is read from its own cursor, and only what is new") {
  Shim shim;
  shim.write(0, "one\n");
  shim.write(1, "err\n");
  LogReader log = shim.reader();
  CHECK(all_text(log, 0, false) == "one\n");
  CHECK(all_text(log, 1, false) == "err\n");
  CHECK(all_text(log, 0, false).empty());
  shim.write(0, "two\n");
  REQUIRE(log.refresh().ok());
  const auto piece = log.next(0, false);
  REQUIRE(piece.ok());
  REQUIRE(*piece);
  CHECK((*piece)->text == "two\n");
  CHECK((*piece)->offset == 4);
  CHECK((*piece)->stream == "stdout");
}

TEST_CASE("a character that is not complete waits for the rest") {
  Shim shim;
  LogReader log = shim.reader();
  shim.write(0, "a\xc3");
  CHECK(all_text(log, 0, false) == "a");
  shim.write(0, "\xa4z");
  CHECK(all_text(log, 0, false) == "\xc3\xa4z");
}

TEST_CASE("a character that stays cut at the end comes as base64") {
  Shim shim;
  LogReader log = shim.reader();
  shim.write(0, "a\xc3");
  REQUIRE(log.refresh().ok());
  const auto piece = log.next(0, true);
  REQUIRE(piece.ok());
  REQUIRE(*piece);
  CHECK((*piece)->text.empty());
  CHECK((*piece)->base64 == "YcM=");
}

TEST_CASE("bytes that are no text come as base64 at once") {
  Shim shim;
  LogReader log = shim.reader();
  shim.write(0, "\xff\xfe");
  REQUIRE(log.refresh().ok());
  const auto piece = log.next(0, false);
  REQUIRE(piece.ok());
  REQUIRE(*piece);
  CHECK((*piece)->base64 == "//4=");
}

TEST_CASE("of a stream above the cap, head and tail are there and the middle is told") {
  Shim shim;
  const std::string block(1 << 20, 'h');
  for (uint64_t n = 0; n < kCap / block.size(); ++n) shim.write(0, block);
  const std::string tail(3 << 20, 't');
  shim.write(0, tail);
  LogReader log = shim.reader();
  REQUIRE(log.refresh().ok());
  uint64_t bytes = 0;
  uint64_t skipped = 0;
  uint64_t expected = 0;
  while (true) {
    const auto piece = log.next(0, true);
    REQUIRE(piece.ok());
    if (!*piece) break;
    expected += (*piece)->skipped.value_or(0);
    CHECK((*piece)->offset == expected);
    expected += (*piece)->text.size();
    skipped += (*piece)->skipped.value_or(0);
    bytes += (*piece)->text.size();
    const char wanted = (*piece)->offset < kCap ? 'h' : 't';
    CHECK((*piece)->text.find_first_not_of(wanted) == std::string::npos);
  }
  CHECK(bytes == kCap);
  CHECK(skipped == tail.size());
  CHECK(bytes + skipped == shim.totals[0]);
}

TEST_CASE("the last lines are found, whether or not the last one is closed") {
  Shim shim;
  shim.write(0, "1\n2\n3\n");
  shim.write(1, "a\nb");
  LogReader log = shim.reader();
  REQUIRE(log.seek_tail(2).ok());
  CHECK(all_text(log, 0, true) == "2\n3\n");
  CHECK(all_text(log, 1, true) == "a\nb");
  LogReader one = shim.reader();
  REQUIRE(one.seek_tail(1).ok());
  CHECK(all_text(one, 1, true) == "b");
  LogReader more = shim.reader();
  REQUIRE(more.seek_tail(100).ok());
  CHECK(all_text(more, 0, true) == "1\n2\n3\n");
  LogReader none = shim.reader();
  REQUIRE(none.seek_tail(0).ok());
  CHECK(all_text(none, 0, true).empty());
}

TEST_CASE("the last lines are found across the end of the ring") {
  Shim shim;
  const std::string block(1 << 20, '\n');
  for (uint64_t n = 0; n < kCap / block.size(); ++n) shim.write(0, block);
  // The ring is full: this lies at its begin, the line before it at its end.
  shim.write(0, "last line\n");
  LogReader log = shim.reader();
  REQUIRE(log.seek_tail(3).ok());
  CHECK(all_text(log, 0, true) == "\n\nlast line\n");
}

TEST_CASE("a log that ends before its stream did says why, once") {
  Shim shim;
  shim.write(0, "kept\n");
  const uint32_t full = ENOSPC;
  REQUIRE(pwrite(shim.fds.record.get(), &full, sizeof full, offsetof(Record, log_errors)) ==
          static_cast<ssize_t>(sizeof full));
  LogReader log = shim.reader();
  REQUIRE(log.refresh().ok());
  CHECK((*log.next(0, true))->text == "kept\n");
  const auto last = log.next(0, true);
  REQUIRE(last.ok());
  REQUIRE(*last);
  CHECK((*last)->offset == 5);
  CHECK((*last)->text.empty());
  CHECK((*last)->cut == "No space left on device");
  CHECK_FALSE(*log.next(0, true));
  CHECK_FALSE(*log.next(1, true));
}

TEST_CASE("a character that is cut at the end is known") {
  CHECK(cut_utf8_tail("x\xf0\x9f\x98") == 3);
  CHECK(cut_utf8_tail("x\xc3\xa4") == 0);
  CHECK(cut_utf8_tail("") == 0);
}

}  // namespace
}  // namespace codexos::daemon
