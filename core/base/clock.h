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
