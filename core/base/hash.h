// SPDX-License-Identifier: Apache-2.0
// FNV-1a, 64 bits: names things and finds damage. Not against an adversary.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

namespace codexos {

inline constexpr uint64_t kFnvBasis = 0xcbf29ce484222325ULL;

/// `h`: the hash of what came before, so that pieces can be hashed one after the other.
constexpr uint64_t fnv1a(std::string_view bytes, uint64_t h = kFnvBasis) {
  for (const char c : bytes) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return h;
}

/// 16 digits.
inline std::string to_hex(uint64_t h) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(h));
  return text;
}

}  // namespace codexos
