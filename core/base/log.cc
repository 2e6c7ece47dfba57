// SPDX-License-Identifier: Apache-2.0
#include "core/base/log.h"

#include <unistd.h>

#include <cstdio>

#include "core/base/clock.h"

namespace codexos {
namespace {

constexpr std::string_view kLevels[] = {"info", "warning", "error"};
constexpr size_t kMaxValue = 4096;

bool plain(std::string_view value) {
  for (const char c : value)
    if (static_cast<unsigned char>(c) <= ' ' || c == '"' || c == '=' || c == '\\' || c == 0x7f)
      return false;
  return !value.empty();
}

void append_quoted(std::string& line, std::string_view value) {
  line.push_back('"');
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      char hex[8];
      snprintf(hex, sizeof hex, "\\x%02x", static_cast<unsigned>(byte));
      line += hex;
      continue;
    }
    if (c == '"' || c == '\\') line.push_back('\\');
    line.push_back(c);
  }
  line.push_back('"');
}

void append_field(std::string& line, std::string_view name, std::string_view value) {
  if (!line.empty()) line.push_back(' ');
  line.append(name).push_back('=');
  const std::string_view shown = value.substr(0, kMaxValue);
  if (plain(shown)) {
    line.append(shown);
  } else {
    append_quoted(line, shown);
  }
}

}  // namespace

std::string format_log_line(int64_t at_us, LogLevel level, std::string_view who,
                            std::string_view text, std::initializer_list<LogField> fields) {
  std::string line;
  append_field(line, "time", format_time(at_us));
  append_field(line, "level", kLevels[static_cast<int>(level)]);
  const bool of_task = who.substr(0, 5) == "task ";
  append_field(line, "component", of_task ? "task" : who);
  append_field(line, "message", text);
  if (of_task) append_field(line, "task", who.substr(5));
  for (const LogField& f : fields) append_field(line, f.name, f.value);
  line.push_back('\n');
  return line;
}

void log_line(LogLevel level, std::string_view who, std::string_view text,
              std::initializer_list<LogField> fields) {
  const std::string line = format_log_line(now_us(), level, who, text, fields);
  if (::write(2, line.data(), line.size()) < 0) return;
}

}  // namespace codexos
