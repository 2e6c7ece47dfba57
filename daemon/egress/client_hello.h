// SPDX-License-Identifier: Apache-2.0
// The name that a TLS client asks for (SNI, RFC 6066), read from its first bytes by OpenSSL, also
// where the greeting is spread over several records. Nothing is decrypted or answered.
#pragma once

#include <string>
#include <string_view>

namespace codexos::daemon {

struct ClientHello {
  enum class State {
    more,  // it goes on behind these bytes
    bad,   // not a TLS greeting
    complete,
  };
  State state = State::bad;
  bool has_name = false;
  std::string name;  // as it came
};

inline constexpr char kTlsHandshake = 0x16;  // the first byte of a TLS client
inline constexpr size_t kMaxClientHello = 32 << 10;

ClientHello read_client_hello(std::string_view bytes);

}  // namespace codexos::daemon
