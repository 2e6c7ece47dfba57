// SPDX-License-Identifier: Apache-2.0
// Time as integer microseconds.
#pragma once

#include <time.h>

#include <cstdint>
#include <cstdio>
#include <string>

namespace codexos {

inline int64_t clock_us(clockid_t which) {
  timespec t{};
  clock_gettime(which, &t);
  return int64_t{t.tv_sec} * 1000000 + t.tv_nsec / 1000;
}
/// Wall clock, microseconds since the epoch.
inline int64_t now_us() { return clock_us(CLOCK_REALTIME); }
/// CLOCK_MONOTONIC, microseconds.
inline int64_t monotonic_us() { return clock_us(CLOCK_MONOTONIC); }

constexpr int64_t kNsPerS = 1000000000;
/// Nanoseconds of a time that the kernel tells in two fields.
constexpr int64_t ns_of(const timespec& t) { return int64_t{t.tv_sec} * kNsPerS + t.tv_nsec; }

/// By how much a file's time can be older than the change (the kernel takes it from its last tick).
inline int64_t file_tick_us() {
  timespec t{};
  clock_getres(CLOCK_REALTIME_COARSE, &t);
  return int64_t{t.tv_sec} * 1000000 + (t.tv_nsec + 999) / 1000;
}
/// CLOCK_REALTIME - CLOCK_BOOTTIME: the same until somebody sets the wall clock. Of several
/// readings the one that nothing came between.
inline int64_t clock_offset_us() {
  constexpr int64_t kClose = 2;
  int64_t offset = 0, closest = INT64_MAX;
  for (int i = 0; i < 8 && closest > kClose; ++i) {
    const int64_t before = clock_us(CLOCK_BOOTTIME);
    const int64_t wall = now_us();
    const int64_t took = clock_us(CLOCK_BOOTTIME) - before;
    if (took >= closest) continue;
    closest = took;
    offset = wall - before;
  }
  return offset;
}

/// RFC 3339 in UTC with microseconds: 2026-11-24T20:16:05.123456Z.
inline std::string format_time(int64_t at_us) {
  const time_t s = at_us / 1000000;
  tm t{};
  gmtime_r(&s, &t);
  char day[32];
  strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &t);
  char out[48];
  snprintf(out, sizeof out, "%s.%06dZ", day, static_cast<int>(at_us % 1000000));
  return out;
}

}  // namespace codexos
