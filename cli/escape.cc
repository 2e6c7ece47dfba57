// SPDX-License-Identifier: Apache-2.0
#include "cli/escape.h"

#include <fmt/core.h>

#include "core/base/text.h"

namespace codexos::cli {
namespace {

constexpr unsigned char kEsc = 0x1b;
constexpr size_t kMaxSgr = 64;

bool is_harmless(unsigned char c) { return c == '\t' || c == '\n' || c == '\r' || c == '\b'; }
bool is_sgr_parameter(unsigned char c) { return (c >= '0' && c <= '9') || c == ';' || c == ':'; }
size_t continuation_bytes(unsigned char lead) {
  if (lead >= 0xc2 && lead <= 0xdf) return 1;
  if (lead >= 0xe0 && lead <= 0xef) return 2;
  if (lead >= 0xf0 && lead <= 0xf4) return 3;
  return 0;
}

/// A control or stray byte as text: ^[ for ESC, ^? for DEL, <9b> for others above ASCII.
void show(unsigned char c, std::string& out) {
  if (c < 0x20 || c == 0x7f) {
    out += '^';
    out += static_cast<char>(c ^ 0x40);
  } else {
    out += fmt::format("<{:02x}>", c);
  }
}

bool is_c1(std::string_view s) {  // U+0080 to U+009F: terminals obey them like ESC sequences
  return s.size() == 2 && static_cast<unsigned char>(s[0]) == 0xc2 &&
         static_cast<unsigned char>(s[1]) < 0xa0;
}

}  // namespace

void EscapeFilter::flush_held(std::string& out) {
  for (const char c : held_) {
    const auto u = static_cast<unsigned char>(c);
    if (u >= 0x20 && u < 0x7f) {
      out += c;
    } else {
      show(u, out);
    }
  }
  held_.clear();
  utf8_missing_ = 0;
}

void EscapeFilter::take_text(unsigned char c, std::string& out) {
  if (c == kEsc) {
    held_ = "\x1b";
  } else if (const size_t n = continuation_bytes(c); n > 0) {
    held_.assign(1, static_cast<char>(c));
    utf8_missing_ = n;
  } else if (is_harmless(c) || (c >= 0x20 && c < 0x7f)) {
    out += static_cast<char>(c);
  } else {
    show(c, out);
  }
}

void EscapeFilter::take(unsigned char c, std::string& out) {
  if (held_.empty()) return take_text(c, out);
  if (utf8_missing_ > 0) {
    if (c < 0x80 || c > 0xbf) {
      flush_held(out);
      return take_text(c, out);
    }
    held_ += static_cast<char>(c);
    if (--utf8_missing_ > 0) return;
    if (is_c1(held_)) {
      out += fmt::format("<{:02x}>", static_cast<unsigned char>(held_[1]));
    } else {
      out += held_;
    }
    held_.clear();
    return;
  }
  const bool opens = held_.size() == 1 && c == '[';
  const bool inside = held_.size() > 1 && held_.size() < kMaxSgr && is_sgr_parameter(c);
  if (opens || inside) {
    held_ += static_cast<char>(c);
  } else if (held_.size() > 1 && c == 'm') {
    colored_ = held_ != "\x1b[" && held_ != "\x1b[0";
    out += held_ + 'm';
    held_.clear();
  } else {
    flush_held(out);
    take_text(c, out);
  }
}

std::string EscapeFilter::feed(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  for (const char c : bytes) take(static_cast<unsigned char>(c), out);
  return out;
}

std::string EscapeFilter::finish() {
  std::string out;
  flush_held(out);
  if (colored_) out += "\x1b[0m";
  colored_ = false;
  return out;
}

/// U+202A to U+202E and U+2066 to U+2069, in UTF-8.
bool turns_text(std::string_view c) {
  if (c.size() != 3 || c[0] != '\xe2') return false;
  const auto last = static_cast<unsigned char>(c[2]);
  return (c[1] == '\x80' && last >= 0xaa && last <= 0xae) ||
         (c[1] == '\x81' && last >= 0xa6 && last <= 0xa9);
}

std::string harmless(std::string_view line) {
  std::string out;
  while (!line.empty()) {
    const size_t n = utf8_length(line);
    const std::string_view c = line.substr(0, n == 0 ? 1 : n);
    const auto lead = static_cast<unsigned char>(c[0]);
    line.remove_prefix(c.size());
    if (n == 0 || (n == 1 && lead != '\t' && (lead < 0x20 || lead == 0x7f))) {
      show(lead, out);
    } else if (is_c1(c)) {
      out += fmt::format("<{:02x}>", static_cast<unsigned char>(c[1]));
    } else if (turns_text(c)) {
      const unsigned code = 0x2000U | (static_cast<unsigned char>(c[1]) & 0x3fU) << 6 |
                            (static_cast<unsigned char>(c[2]) & 0x3fU);
      out += fmt::format("<U+{:04X}>", code);
    } else {
      out += c;
    }
  }
  return out;
}

std::string printable(std::string_view s) {
  std::string out;
  for (size_t i = 0; i < s.size(); ++i) {
    const auto c = static_cast<unsigned char>(s[i]);
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (const size_t length = utf8_length(s.substr(i));
               length == 0 || c < 0x20 || c == 0x7f) {
      out += fmt::format("\\x{:02x}", c);
    } else if (is_c1(s.substr(i, 2))) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned char>(s[++i]));
    } else {
      out += s.substr(i, length);
      i += length - 1;
    }
  }
  return out;
}

}  // namespace codexos::cli
