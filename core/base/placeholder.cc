// SPDX-License-Identifier: Apache-2.0
#include "core/base/placeholder.h"

#include <algorithm>

#include "core/base/id.h"

namespace codexos {
namespace {

constexpr size_t kLongestMarker = 14;  // "sk-ant-oat01-" has 13
constexpr size_t kLeastBehindMarker = 16;

bool is_word_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_' || c == '.';
}

/// Header and claims of a JWT, with both dots; empty: it is none. A header is an object: {" is eyJ.
std::string_view jwt_claims(std::string_view value) {
  const size_t last = value.rfind('.');
  if (value.substr(0, 3) != "eyJ" || std::count(value.begin(), value.end(), '.') != 2 ||
      !std::all_of(value.begin(), value.end(), is_word_char))
    return {};
  return value.substr(0, last + 1);
}

/// What tells the kind of a key: small letters and digits up to a dash.
std::string_view marker_of(std::string_view value) {
  const auto is_marker = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  };
  const size_t end =
      static_cast<size_t>(std::find_if_not(value.begin(), value.end(), is_marker) - value.begin());
  const size_t dash = value.substr(0, std::min(end, kLongestMarker)).find_last_of("-_");
  if (dash == std::string_view::npos || value.size() - dash <= kLeastBehindMarker) return {};
  return value.substr(0, dash + 1);
}

}  // namespace

std::string make_placeholder() {
  return std::string(kPlaceholderPrefix) + make_secret(kPlaceholderHex / 2);
}

std::string shaped_placeholder(std::string_view value, std::string_view placeholder) {
  std::string_view shape = jwt_claims(value);
  if (shape.empty()) shape = marker_of(value);
  return std::string(shape) + std::string(placeholder);
}

bool replace_placeholder(std::string& text, std::string_view placeholder, bool whole_word,
                         std::string_view with) {
  bool found = false;
  for (size_t at = 0; (at = text.find(placeholder, at)) != std::string::npos;) {
    size_t begin = at;
    while (whole_word && begin > 0 && is_word_char(text[begin - 1])) --begin;
    text.replace(begin, at - begin + placeholder.size(), with);
    at = begin + with.size();
    found = true;
  }
  return found;
}

}  // namespace codexos
