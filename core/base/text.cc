// SPDX-License-Identifier: Apache-2.0
#include "core/base/text.h"

#include <algorithm>
#include <cstdint>

namespace codexos {
namespace {

constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// How many bytes the sequence that begins with `lead` has, and the bounds of its second byte (RFC
/// 3629, section 4); 0: not a lead byte.
size_t sequence(unsigned char lead, unsigned char& low, unsigned char& high) {
  low = 0x80;
  high = 0xbf;
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead <= 0xdf) return 2;
  if (lead == 0xe0) low = 0xa0;
  if (lead == 0xed) high = 0x9f;
  if (lead >= 0xe0 && lead <= 0xef) return 3;
  if (lead == 0xf0) low = 0x90;
  if (lead == 0xf4) high = 0x8f;
  if (lead >= 0xf0 && lead <= 0xf4) return 4;
  return 0;
}

int value_of(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  return c == '/' ? 63 : -1;
}

}  // namespace

bool is_utf8(std::string_view s) {
  for (size_t i = 0; i < s.size();) {
    unsigned char low = 0;
    unsigned char high = 0;
    const size_t n = sequence(static_cast<unsigned char>(s[i]), low, high);
    if (n == 0 || i + n > s.size()) return false;
    for (size_t k = 1; k < n; ++k) {
      const auto c = static_cast<unsigned char>(s[i + k]);
      if (c < low || c > high) return false;
      low = 0x80;
      high = 0xbf;
    }
    i += n;
  }
  return true;
}

std::string to_base64(std::string_view bytes) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t bits = 0;
    const size_t n = std::min<size_t>(3, bytes.size() - i);
    for (size_t k = 0; k < 3; ++k)
      bits = bits << 8 | (k < n ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    for (size_t k = 0; k < 4; ++k) out.push_back(k <= n ? kDigits[bits >> (18 - 6 * k) & 63] : '=');
  }
  return out;
}

Result<std::string> from_base64(std::string_view text) {
  const Error damaged{Code::invalid, "base64 is damaged", {}};
  if (text.size() % 4 != 0) return damaged;
  for (int n = 0; n < 2 && !text.empty() && text.back() == '='; ++n) text.remove_suffix(1);
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
