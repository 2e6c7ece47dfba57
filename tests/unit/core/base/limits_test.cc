// SPDX-License-Identifier: Apache-2.0
#include "core/base/limits.h"

#include <doctest/doctest.h>

#include "core/base/units.h"

namespace codexos {
namespace {

struct Said {
  uint64_t TaskLimits::*limit;
  const char* text;
  uint64_t amount;
};

TEST_CASE("a limit is read with its unit, and told so that it is read back as the same") {
  constexpr Said kSaid[] = {
      {&TaskLimits::timeout_ms, "90s", 90000},
      {&TaskLimits::timeout_ms, "0", 0},
      {&TaskLimits::memory_bytes, "512MiB", 512ULL << 20},
      {&TaskLimits::memory_bytes, "8m", 8ULL << 20},
      {&TaskLimits::memory_bytes, "9000000", 9000000},
      {&TaskLimits::memory_bytes, "none", 0},
      {&TaskLimits::cpu_milli, "2", 2000},
      {&TaskLimits::cpu_milli, "0.5", 500},
      {&TaskLimits::cpu_milli, "1.25", 1250},
      {&TaskLimits::cpu_milli, "0.01", 10},
      {&TaskLimits::cpu_time_ms, "1m", 60000},
      {&TaskLimits::pids, "100", 100},
      {&TaskLimits::disk_bytes, "1GB", 1000000000},
      {&TaskLimits::open_files, "none", 0},
      {&TaskLimits::log_bytes, "64k", 65536},
  };
  for (const Said& s : kSaid) {
    CAPTURE(s.text);
    const LimitRow& row = limit_row(s.limit);
    REQUIRE(parse_limit(row, s.text).ok());
    CHECK(*parse_limit(row, s.text) == s.amount);
    CHECK(*parse_limit(row, limit_text(row, s.amount)) == s.amount);
  }
}

TEST_CASE("what is no amount, or less than a task can live with, is refused") {
  const Said kWrong[] = {
      {&TaskLimits::memory_bytes, "0", 0},
      {&TaskLimits::memory_bytes, "12", 0},
      {&TaskLimits::memory_bytes, "", 0},
      {&TaskLimits::memory_bytes, "-1G", 0},
      {&TaskLimits::memory_bytes, "7MiB", 0},
      {&TaskLimits::memory_bytes, "1ZB", 0},
      {&TaskLimits::cpu_milli, "-1", 0},
      {&TaskLimits::cpu_milli, "0", 0},
      {&TaskLimits::cpu_milli, "0.009", 0},
      {&TaskLimits::cpu_milli, "1.0001", 0},
      {&TaskLimits::cpu_milli, ".5", 0},
      {&TaskLimits::cpu_milli, "1.", 0},
      {&TaskLimits::cpu_milli, "1e3", 0},
      {&TaskLimits::cpu_milli, "99999", 0},
      {&TaskLimits::cpu_time_ms, "0", 0},
      {&TaskLimits::cpu_time_ms, "5ms", 0},
      {&TaskLimits::pids, "1", 0},
      {&TaskLimits::pids, "1.5", 0},
      {&TaskLimits::pids, "99999999", 0},
      {&TaskLimits::pids, "+5", 0},
      {&TaskLimits::disk_bytes, "1000", 0},
      {&TaskLimits::open_files, "3", 0},
      {&TaskLimits::log_bytes, "1k", 0},
      {&TaskLimits::timeout_ms, "soon", 0},
  };
  for (const Said& s : kWrong) {
    CAPTURE(s.text);
    CHECK_FALSE(parse_limit(limit_row(s.limit), s.text).ok());
  }
}

TEST_CASE("bytes are told in the largest unit that divides them") {
  CHECK(bytes_text(0) == "0");
  CHECK(bytes_text(1000) == "1000");
  CHECK(bytes_text(64 << 20) == "64MiB");
  CHECK(bytes_text((64 << 20) + 1024) == "65537KiB");
  CHECK(bytes_text(5ULL << 40) == "5TiB");
}

TEST_CASE("each limit has its option") {
  CHECK(limit_option(limit_row(&TaskLimits::cpu_time_ms)) == "--cpu-time");
  CHECK(limit_option(limit_row(&TaskLimits::memory_bytes)) == "--memory");
}

}  // namespace
}  // namespace codexos
