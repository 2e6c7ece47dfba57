// SPDX-License-Identifier: Apache-2.0
#include "core/base/quote.h"

#include <algorithm>
#include <cstdio>

#include "core/base/text.h"

namespace codexos {

std::string quote_git(std::string_view path) {
  std::string out;
  bool special = false;
  constexpr std::string_view kNamed = "\a\b\t\n\v\f\r\"\\";
  constexpr std::string_view kLetters = "abtnvfr\"\\";
  while (!path.empty()) {
    const size_t n = utf8_length(path);
    const auto c = static_cast<unsigned char>(path[0]);
    const bool c1 = n == 2 && c == 0xC2 && static_cast<unsigned char>(path[1]) < 0xA0;
    const size_t named = kNamed.find(path[0]);
    if (named != std::string_view::npos) {
      out += '\\';
      out += kLetters[named];
      special = true;
    } else if (n == 0 || c < 0x20 || c == 0x7F || c1) {
      for (size_t i = 0; i < std::max<size_t>(n, 1); ++i) {
        char octal_text[8];
        snprintf(octal_text, sizeof octal_text, "\\%03o", static_cast<unsigned char>(path[i]));
        out += octal_text;
      }
      special = true;
    } else {
      out += path.substr(0, n);
    }
    path.remove_prefix(std::max<size_t>(n, 1));
  }
  return special ? "\"" + out + "\"" : out;
}

std::string quote_shell(std::string_view word) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string_view::npos)
    return std::string(word);
  std::string out = "'";
  for (const char c : word) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out += c;
    }
  }
  return out + "'";
}

}  // namespace codexos
