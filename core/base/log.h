// SPDX-License-Identifier: Apache-2.0
// The daemon's log: one logfmt line an entry on descriptor 2, which main.cc points at the log file
// (or leaves at the terminal):
//
//   time=2026-11-24T20:16:05.123456Z level=warning component=launcher message="helper died"
//   task=abc
//
// Values are quoted where they hold more than plain characters, and control characters are escaped:
// what came with a request can neither begin a line nor a field of its own.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace codexos {

enum class LogLevel { info, warning, error };

struct LogField {
  std::string_view name;  // a literal
  std::string_view value;
};

/// Writes one line with one write(2); a failure is ignored, because a full disk must not stop the
/// daemon. `who` is the component, or "task ID".
void log_line(LogLevel level, std::string_view who, std::string_view text,
              std::initializer_list<LogField> fields = {});

/// The line, with its end. Pure.
std::string format_log_line(int64_t at_us, LogLevel level, std::string_view who,
                            std::string_view text, std::initializer_list<LogField> fields);

}  // namespace codexos
