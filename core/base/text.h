// SPDX-License-Identifier: Apache-2.0
// Bytes as text: what is UTF-8 (RFC 3629), and base64 (RFC 4648 section 4) for what is not. Paths,
// arguments and output are bytes on Linux; JSON carries text only. And the letter case of ASCII,
// which no locale changes.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "core/base/error.h"

namespace codexos {

/// How long the UTF-8 sequence at the start of `s` (not empty) is; 0: it is none.
size_t utf8_length(std::string_view s);
/// Well-formed: no overlong forms, no surrogates, nothing above U+10FFFF.
bool is_utf8(std::string_view s);

/// A to Z only.
std::string to_lower(std::string_view s);
/// a to z only.
std::string to_upper(std::string_view s);

/// The words of a list, with `between` between them.
template <class List>
std::string join_words(const List& words, std::string_view between) {
  std::string out;
  for (const auto& w : words) {
    if (!out.empty()) out += between;
    out += w;
  }
  return out;
}

std::string to_base64(std::string_view bytes);
/// Error invalid: a character outside of the alphabet, or a wrong length.
Result<std::string> from_base64(std::string_view text);

}  // namespace codexos
