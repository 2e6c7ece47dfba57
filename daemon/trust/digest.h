// SPDX-License-Identifier: Apache-2.0
// SHA-256 (FIPS 180-4), computed by OpenSSL, whose home this folder is.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/base/error.h"

namespace codexos::daemon {

class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void add(std::string_view bytes);
  /// 64 hexadecimal digits, lower case. Call once, last.
  std::string hex();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

inline constexpr size_t kSha256Hex = 64;
std::string sha256_hex(std::string_view bytes);
/// Of the whole file, whatever the descriptor's offset is, which stays.
Result<std::string> sha256_of_file(int fd);

}  // namespace codexos::daemon
