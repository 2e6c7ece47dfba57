// SPDX-License-Identifier: Apache-2.0
// The daemon's log: one line an entry on descriptor 2, which main.cc points at the log file (or
// leaves at the terminal). "2026-11-24T20:16:05.123456Z warning launcher: helper died  task=abc".
// Values of requests never go in here unescaped: control characters are written as \xNN.
#pragma once

#include <unistd.h>

#include <cstdio>
#include <string>
#include <string_view>

#include "core/base/clock.h"

namespace codexos {

enum class LogLevel { info, warning, error };

inline void log_line(LogLevel level, std::string_view who, std::string_view text) {
  static constexpr const char* kNames[] = {"info", "warning", "error"};
  std::string line = format_time(now_us()) + " " + kNames[static_cast<int>(level)] + " ";
  line.append(who).append(": ");
  for (const char c : text) {
    if (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) {
      line.push_back(c);
      continue;
    }
    char hex[8];
    snprintf(hex, sizeof hex, "\\x%02x", static_cast<unsigned>(static_cast<unsigned char>(c)));
    line += hex;
  }
  line.push_back('\n');
  if (::write(2, line.data(), line.size()) < 0) return;  // a full disk must not stop the daemon
}

}  // namespace codexos
