// SPDX-License-Identifier: Apache-2.0
#include "core/base/spellings.h"

#include <algorithm>
#include <cstdint>

#include "core/base/text.h"

namespace codexos {
namespace {

using Texts = std::vector<std::string>;

constexpr std::string_view kLower = "0123456789abcdef", kUpper = "0123456789ABCDEF";
constexpr std::string_view kHexCases[] = {kLower, kUpper};

void add_once(Texts& all, std::string text) {
  if (std::find(all.begin(), all.end(), text) == all.end()) all.push_back(std::move(text));
}

void add_hex_byte(std::string& out, unsigned char c, std::string_view digits) {
  out += digits[c >> 4];
  out += digits[c & 15];
}

/// As tools break it into lines of so many columns, and as a terminal shows those.
void add_wrapped(std::string_view text, size_t columns, Texts& all) {
  if (text.size() <= columns) return;
  for (const std::string_view line_end : {"\n", "\r\n"}) {
    std::string out;
    for (size_t at = 0; at < text.size(); at += columns) {
      if (at > 0) out += line_end;
      out += text.substr(at, columns);
    }
    add_once(all, std::move(out));
  }
}

void add_hex(std::string_view value, Texts& all) {
  constexpr size_t kXxd = 60;
  for (const auto digits : kHexCases) {
    std::string text;
    for (const char c : value) add_hex_byte(text, static_cast<unsigned char>(c), digits);
    add_wrapped(text, kXxd, all);
    add_once(all, std::move(text));
  }
}

bool is_alnum(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/// What is left as it is beside letters and digits, by different encoders.
struct PercentRow {
  std::string_view kept;
  bool space_is_plus;
  bool every_byte;
};
constexpr PercentRow kPercent[] = {
    {"-_.~", false, false},                  // RFC 3986
    {"-_.~/", false, false},                 // Python's quote
    {"-_.!~*'()", false, false},             // encodeURIComponent
    {"-_.!~*'();,/?:@&=+$#", false, false},  // encodeURI
    {"-_.*", true, false},                   // forms
    {"-_.~", true, false},                   // Go's and Python's forms
    {"", false, true},
};

void add_percent(std::string_view value, Texts& all) {
  for (const auto& row : kPercent)
    for (const auto digits : kHexCases) {
      std::string text;
      for (const char c : value) {
        if (!row.every_byte && (is_alnum(c) || row.kept.find(c) != std::string_view::npos)) {
          text += c;
        } else if (row.space_is_plus && c == ' ') {
          text += '+';
        } else {
          text += '%';
          add_hex_byte(text, static_cast<unsigned char>(c), digits);
        }
      }
      add_once(all, std::move(text));
    }
}

struct JsonStyle {
  bool slash, html, ascii;  // also escaped: "/"; "<>&"; what is not ASCII
  std::string_view digits;
};

void add_unicode(std::string& out, uint32_t code, std::string_view digits) {
  out += "\\u";
  add_hex_byte(out, static_cast<unsigned char>(code >> 8), digits);
  add_hex_byte(out, static_cast<unsigned char>(code), digits);
}

uint32_t code_point(std::string_view sequence) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(sequence[i]); };
  if (sequence.size() == 1) return byte(0);
  uint32_t code = byte(0) & (0x7fU >> sequence.size());
  for (size_t i = 1; i < sequence.size(); ++i) code = code << 6 | (byte(i) & 0x3fU);
  return code;
}

void add_json_char(std::string& out, std::string_view sequence, const JsonStyle& style) {
  constexpr std::string_view kShort = "\"\\\b\f\n\r\t", kLetters = "\"\\bfnrt";
  constexpr uint32_t kFirstPair = 0x10000;
  const char c = sequence.front();
  const uint32_t code = code_point(sequence);
  if (const size_t at = kShort.find(c); at != std::string_view::npos) {
    out += '\\';
    out += kLetters[at];
  } else if (code < 0x20 || (style.html && (c == '<' || c == '>' || c == '&'))) {
    add_unicode(out, code, style.digits);
  } else if (style.slash && c == '/') {
    out += "\\/";
  } else if (style.ascii && code >= kFirstPair) {
    add_unicode(out, 0xd800 + ((code - kFirstPair) >> 10), style.digits);
    add_unicode(out, 0xdc00 + ((code - kFirstPair) & 0x3ff), style.digits);
  } else if (style.ascii && code >= 0x7f) {
    add_unicode(out, code, style.digits);
  } else {
    out += sequence;
  }
}

void add_json(std::string_view value, Texts& all) {
  for (unsigned n = 0; n < 16; ++n) {
    const JsonStyle style{(n & 1) != 0, (n & 2) != 0, (n & 4) != 0, kHexCases[n >> 3]};
    std::string text;
    for (std::string_view rest = value; !rest.empty();) {
      const size_t size = std::max<size_t>(utf8_length(rest), 1);
      add_json_char(text, rest.substr(0, size), style);
      rest.remove_prefix(size);
    }
    add_once(all, std::move(text));
  }
}

void add_html(std::string_view value, Texts& all) {
  for (const std::string_view apostrophe : {"'", "&#39;", "&#x27;"}) {
    std::string text;
    for (const char c : value) {
      const std::string_view written = c == '&'    ? "&amp;"
                                       : c == '<'  ? "&lt;"
                                       : c == '>'  ? "&gt;"
                                       : c == '"'  ? "&quot;"
                                       : c == '\'' ? apostrophe
                                                   : std::string_view(&c, 1);
      text += written;
    }
    add_once(all, std::move(text));
  }
}

}  // namespace

std::string on_terminal(std::string_view value) {
  std::string text;
  for (const char c : value) {
    if (c == '\n') text += '\r';
    text += c;
  }
  return text;
}

std::vector<std::string> base64_spellings(std::string_view value) {
  constexpr size_t kBits = 6, kMime = 76, kPem = 64;
  Texts all;
  std::string alone = to_base64(value);
  alone.erase(std::min(alone.find('='), alone.size()));
  add_once(all, std::move(alone));
  for (size_t shift = 0; shift < 3; ++shift) {
    const std::string text = to_base64(std::string(shift, '\0') + std::string(value));
    const size_t first = (shift * 8 + kBits - 1) / kBits;
    const size_t end = (shift + value.size()) * 8 / kBits;
    if (end > first) add_once(all, text.substr(first, end - first));
    for (const size_t columns : {kMime, kPem})
      if (shift == 0) add_wrapped(std::string_view(text).substr(0, end), columns, all);
  }
  for (size_t i = 0, n = all.size(); i < n; ++i) {
    std::string url = all[i];
    std::replace(url.begin(), url.end(), '+', '-');
    std::replace(url.begin(), url.end(), '/', '_');
    add_once(all, std::move(url));
  }
  return all;
}

std::vector<std::string> spellings_of(std::string_view value) {
  Texts all{std::string(value)};
  add_once(all, on_terminal(value));
  for (auto& text : base64_spellings(value)) add_once(all, std::move(text));
  add_hex(value, all);
  add_percent(value, all);
  add_json(value, all);
  add_html(value, all);
  return all;
}

}  // namespace codexos
