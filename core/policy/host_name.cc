// SPDX-License-Identifier: Apache-2.0
#include "core/policy/host_name.h"

#include <idn2.h>

#include <algorithm>

#include "core/base/quote.h"

namespace codexos {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return c >= 'a' && c <= 'z'; }

Error bad_name(std::string_view name, const char* why) {
  return {Code::invalid, quote_git(name) + " is no host name: " + why, {}};
}

const char* problem_of_label(std::string_view label) {
  if (label.empty()) return "an empty label";
  if (label.size() > 63) return "a label of more than 63 characters";
  if (label.front() == '-' || label.back() == '-') return "a hyphen at the edge of a label";
  return nullptr;
}

// inet_aton(3) reads 127.1, 0177.0.0.1 and 0x7f000001 as addresses; so do browsers (WHATWG URL,
// "ends in a number").
bool looks_like_number(std::string_view label) {
  if (std::all_of(label.begin(), label.end(), is_digit)) return true;
  return label.size() >= 2 && label[0] == '0' && label[1] == 'x' &&
         std::all_of(label.begin() + 2, label.end(),
                     [](char c) { return is_digit(c) || (c >= 'a' && c <= 'f'); });
}

}  // namespace

Result<std::string> clean_host_name(std::string_view name) {
  if (name.empty()) return Error{Code::invalid, "an empty host name", {}};
  if (name.size() > 253) return Error{Code::invalid, "a host name of more than 253 characters", {}};
  std::string lower(name);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (!is_letter(c) && !is_digit(c) && c != '-' && c != '.')
      return bad_name(name, "only letters, digits, hyphens and dots");
  }
  if (lower.back() == '.') return bad_name(name, "a dot at the end");
  std::string_view last;
  for (size_t begin = 0; begin <= lower.size();) {
    const size_t end = std::min(lower.find('.', begin), lower.size());
    last = std::string_view(lower).substr(begin, end - begin);
    if (const char* why = problem_of_label(last)) return bad_name(name, why);
    begin = end + 1;
  }
  if (looks_like_number(last)) return bad_name(name, "it reads as a number");
  return lower;
}

Result<std::string> host_name_from_user(std::string_view name) {
  const bool ascii = std::all_of(name.begin(), name.end(),
                                 [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  if (ascii || name.find('\0') != std::string_view::npos) return clean_host_name(name);
  char* out = nullptr;
  const int rc = idn2_to_ascii_8z(std::string(name).c_str(), &out, IDN2_NONTRANSITIONAL);
  if (rc != IDN2_OK) return bad_name(name, idn2_strerror(rc));
  const std::string punycode(out);
  idn2_free(out);
  return clean_host_name(punycode);
}

}  // namespace codexos
