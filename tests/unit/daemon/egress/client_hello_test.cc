// SPDX-License-Identifier: Apache-2.0
#include "daemon/egress/client_hello.h"

#include <doctest/doctest.h>

#include <string>

using namespace codexos::daemon;

namespace {
std::string u16(size_t n) { return {static_cast<char>(n >> 8), static_cast<char>(n)}; }

/// A TLS 1.2 greeting with this extension 0, in records of at most `piece` bytes.
std::string hello(const std::string& server_name_extension, size_t piece = 1 << 14) {
  std::string extensions;
  if (!server_name_extension.empty())
    extensions = u16(0) + u16(server_name_extension.size()) + server_name_extension;
  std::string body = "\x03\x03" + std::string(32, 'r') + std::string(1, '\0') + u16(2) +
                     "\xc0\x2f" + std::string("\x01\x00", 2) + u16(extensions.size()) + extensions;
  std::string message = std::string("\x01\x00", 2) + u16(body.size()) + body;
  std::string out;
  for (size_t at = 0; at < message.size(); at += piece) {
    const std::string part = message.substr(at, piece);
    out += "\x16\x03\x01" + u16(part.size()) + part;
  }
  return out;
}
std::string name(const std::string& n) {
  return u16(n.size() + 3) + std::string(1, '\0') + u16(n.size()) + n;
}
}  // namespace

TEST_CASE("the name is read, also when the greeting is in pieces") {
  for (const size_t piece : {1 << 14, 20, 1}) {
    const auto h = read_client_hello(hello(name("good.test"), static_cast<size_t>(piece)));
    CHECK(h.state == ClientHello::State::complete);
    CHECK(h.name == "good.test");
  }
}

TEST_CASE("a part of a greeting is not a greeting yet") {
  const std::string all = hello(name("good.test"));
  for (size_t n = 1; n < all.size(); ++n)
    CHECK(read_client_hello(all.substr(0, n)).state == ClientHello::State::more);
}

TEST_CASE("a greeting without a name is complete") {
  const auto h = read_client_hello(hello(""));
  CHECK(h.state == ClientHello::State::complete);
  CHECK_FALSE(h.has_name);
}

TEST_CASE("two names, or lengths that do not fit, are bad") {
  const std::string two = u16(2 * (3 + 4)) + std::string(1, '\0') + u16(4) + "good" +
                          std::string(1, '\0') + u16(4) + "evil";
  CHECK(read_client_hello(hello(two)).state == ClientHello::State::bad);
  CHECK(read_client_hello(hello(u16(20) + std::string(1, '\0') + u16(4) + "good")).state ==
        ClientHello::State::bad);
  CHECK(read_client_hello("\x16\x03\x01garbage that is none").state == ClientHello::State::bad);
  CHECK(read_client_hello("GET / HTTP/1.1\r\n\r\n").state == ClientHello::State::bad);
}
