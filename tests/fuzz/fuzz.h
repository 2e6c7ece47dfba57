// SPDX-License-Identifier: Apache-2.0
// What fuzz targets share. A target is one program: it takes bytes as an attacker would send them,
// gives them to one reader, and aborts where a property does not hold (CODEXOS_CHECK).
//
// The numbers that steer a target come from the end of the input, its text from the front, so that
// a seed is a file as the reader would get it, with a few bytes behind.
#pragma once

#include <fuzzer/FuzzedDataProvider.h>

#include <string>
#include <string_view>
#include <vector>

#include "core/base/binary.h"
#include "core/base/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace codexos::fuzz {

using Input = FuzzedDataProvider;

/// `text` in pieces of 1 to `most` bytes, as a socket may give it.
inline std::vector<std::string_view> pieces(std::string_view text, size_t most) {
  std::vector<std::string_view> out;
  for (size_t n = 1; !text.empty(); n = n % most + 1) {
    out.push_back(text.substr(0, n));
    text.remove_prefix(out.back().size());
  }
  return out;
}

/// What is decoded and written again is decoded as the same; nothing where it is damaged.
template <class T>
void check_binary(std::string_view bytes) {
  const auto x = from_binary<T>(bytes);
  if (!x.ok()) return;
  const std::string written = to_binary(*x);
  const auto again = from_binary<T>(written);
  CODEXOS_CHECK(again.ok());
  CODEXOS_CHECK(to_binary(*again) == written);
}

}  // namespace codexos::fuzz
