// SPDX-License-Identifier: Apache-2.0
// Data of the SSH protocols (RFC 4251, section 5), read from bytes that nobody vouches for: after
// the first thing that is not there everything is empty, and ok() is false.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace codexos {

class SshReader {
 public:
  explicit SshReader(std::string_view bytes) : left_(bytes) {}

  uint8_t byte() {
    const std::string_view one = take(1);
    return one.empty() ? 0 : static_cast<uint8_t>(one[0]);
  }
  uint32_t number() {
    uint32_t n = 0;
    for (const char c : take(4)) n = n << 8 | static_cast<uint8_t>(c);
    return n;
  }
  std::string_view string() { return take(number()); }
  bool ok() const { return ok_; }
  /// Everything was there, and nothing is left.
  bool at_end() const { return ok_ && left_.empty(); }

 private:
  std::string_view take(size_t n) {
    ok_ = ok_ && n <= left_.size();
    if (!ok_) return {};
    const std::string_view out = left_.substr(0, n);
    left_.remove_prefix(n);
    return out;
  }

  std::string_view left_;
  bool ok_ = true;
};

inline void put_ssh_number(std::string& out, uint32_t n) {
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(n >> shift);
}
inline void put_ssh_string(std::string& out, std::string_view bytes) {
  put_ssh_number(out, static_cast<uint32_t>(bytes.size()));
  out += bytes;
}

}  // namespace codexos
