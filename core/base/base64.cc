// SPDX-License-Identifier: Apache-2.0
#include "core/base/base64.h"

#include <cstdint>

namespace codexos {
namespace {

int value_of(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  return c == '/' ? 63 : -1;
}

}  // namespace

std::string encode_base64(std::string_view bytes) {
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t bits = 0;
    for (size_t k = 0; k < 3; ++k)
      bits = bits << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    const size_t left = bytes.size() - i;
    out += kAlphabet[bits >> 18];
    out += kAlphabet[bits >> 12 & 63];
    out += left > 1 ? kAlphabet[bits >> 6 & 63] : '=';
    out += left > 2 ? kAlphabet[bits & 63] : '=';
  }
  return out;
}

Result<std::string> decode_base64(std::string_view text) {
  const Error damaged{Code::invalid, "base64 is damaged", {}};
  if (text.size() % 4 != 0) return damaged;
  while (!text.empty() && text.back() == '=') text.remove_suffix(1);
  std::string out;
  uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const int v = value_of(c);
    if (v < 0) return damaged;
    bits = (bits << 6) | static_cast<uint32_t>(v);
    if ((count += 6) < 8) continue;
    count -= 8;
    out.push_back(static_cast<char>((bits >> count) & 0xff));
  }
  return out;
}

}  // namespace codexos
