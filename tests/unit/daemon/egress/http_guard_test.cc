// SPDX-License-Identifier: Apache-2.0
#include "daemon/egress/http_guard.h"

#include <doctest/doctest.h>

using namespace codexos;
using namespace codexos::daemon;

namespace {
/// What is passed on of `bytes`, in one piece; "DENIED: why" when it is refused.
std::string whole(std::string_view bytes) {
  HttpGuard g("good.test");
  std::string out;
  const auto s = g.feed(bytes, out);
  return s.ok() ? out : "DENIED: " + s.error().message;
}
/// The same, byte by byte: must not make a difference.
std::string dripped(std::string_view bytes) {
  HttpGuard g("good.test");
  std::string out;
  for (const char c : bytes)
    if (auto s = g.feed({&c, 1}, out); !s.ok()) return "DENIED: " + s.error().message;
  return out;
}
void passes(std::string_view bytes) {
  CHECK(whole(bytes) == bytes);
  CHECK(dripped(bytes) == bytes);
}
void refused(std::string_view bytes, std::string_view why) {
  CHECK_MESSAGE(whole(bytes).find(std::string(why)) != std::string::npos, whole(bytes));
  CHECK(whole(bytes).starts_with("DENIED"));
  CHECK(dripped(bytes).starts_with("DENIED"));
}
}  // namespace

TEST_CASE("requests for the host that was allowed pass unchanged") {
  passes("GET / HTTP/1.1\r\nHost: good.test\r\n\r\n");
  passes("GET / HTTP/1.1\r\nhost: GOOD.test:8080\r\nX: a b\r\n\r\n");
  passes("GET / HTTP/1.0\r\n\r\n");
  passes("GET http://good.test/x HTTP/1.1\r\nHost: good.test\r\n\r\n");
  passes("OPTIONS * HTTP/1.1\r\nHost: good.test\r\n\r\n");
  passes("POST / HTTP/1.1\r\nHost: good.test\r\nContent-Length: 5\r\n\r\nhello");
  passes(
      "POST / HTTP/1.1\r\nHost: good.test\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n"
      "0\r\nT: 1\r\n\r\n");
}

TEST_CASE("requests behind one another are each looked at") {
  const std::string first = "GET /1 HTTP/1.1\r\nHost: good.test\r\n\r\n";
  passes(first + "POST /2 HTTP/1.1\r\nHost: good.test\r\nContent-Length: 2\r\n\r\nab" + first);
  refused(first + "GET /2 HTTP/1.1\r\nHost: evil.test\r\n\r\n", "evil.test");
  refused(
      "POST / HTTP/1.1\r\nHost: good.test\r\nContent-Length: 2\r\n\r\nabGET / HTTP/1.1\r\nHost: "
      "evil.test\r\n\r\n",
      "evil.test");
  refused(
      "POST / HTTP/1.1\r\nHost: good.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / "
      "HTTP/1.1\r\nHost: evil.test\r\n\r\n",
      "evil.test");
}

TEST_CASE("what comes before a refused request has been passed on, it itself never") {
  HttpGuard g("good.test");
  std::string out;
  const std::string first = "GET /1 HTTP/1.1\r\nHost: good.test\r\n\r\n";
  CHECK_FALSE(g.feed(first + "GET / HTTP/1.1\r\nHost: evil.test\r\n\r\n", out).ok());
  CHECK(out == first);
}

TEST_CASE("another host, or a second one, is refused") {
  refused("GET / HTTP/1.1\r\nHost: evil.test\r\n\r\n", "evil.test");
  refused("GET / HTTP/1.1\r\nHost: good.test\r\nHost: evil.test\r\n\r\n", "more than one Host");
  refused("GET / HTTP/1.1\r\nHost: good.test\r\nHost: good.test\r\n\r\n", "more than one Host");
  refused("GET / HTTP/1.1\r\n\r\n", "without a Host");
  refused("GET / HTTP/1.1\r\nHost:\r\n\r\n", "for host");
  refused("GET / HTTP/1.1\r\nHost: good.test.evil.test\r\n\r\n", "evil.test");
  refused("GET / HTTP/1.1\r\nHost: evil.test@good.test\r\n\r\n", "for host");
  refused("GET / HTTP/1.1\r\nHost: good.test.\r\n\r\n", "for host");
  refused("GET / HTTP/1.1\r\nHost: good.test:80:evil\r\n\r\n", "good.test");
  refused("GET http://evil.test/ HTTP/1.1\r\nHost: good.test\r\n\r\n", "evil.test");
  refused("GET https://good.test/ HTTP/1.1\r\nHost: good.test\r\n\r\n", "proxy");
  refused("CONNECT evil.test:443 HTTP/1.1\r\nHost: good.test\r\n\r\n", "CONNECT");
  refused(std::string("GET / HTTP/1.1\r\nHost: evil.test\0.good.test\r\n\r\n", 45), "control");
}

TEST_CASE("what two programs could read differently is refused") {
  const std::string head = "POST / HTTP/1.1\r\nHost: good.test\r\n";
  refused(head + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "differently");
  refused(head + "Transfer-Encoding: gzip, chunked\r\n\r\n", "differently");
  refused(head + "Transfer-Encoding: xchunked\r\n\r\n", "differently");
  refused(head + "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", "more than one");
  refused(head + "Content-Length: +5\r\n\r\n", "no number");
  refused(head + "Content-Length: 5, 5\r\n\r\n", "no number");
  refused(head + "Content-Length : 5\r\n\r\n", "broken header");
  refused(head + "A: b\r\n folded: c\r\n\r\n", "broken header");
  refused(head + "A: b\nHost: evil.test\r\n\r\n", "control");
  refused(head + "A: b\rHost: evil.test\r\n\r\n", "control");
  refused("GET / HTTP/1.1\nHost: good.test\n\n", "control");
  refused("GET /  HTTP/1.1\r\nHost: good.test\r\n\r\n", "broken request");
  refused("GET /\tx HTTP/1.1\r\nHost: good.test\r\n\r\n", "broken request");
  refused(head + "Transfer-Encoding: chunked\r\n\r\n5x\r\n", "no number");
  refused(head + "Transfer-Encoding: chunked\r\n\r\n-5\r\n", "no number");
  refused(head + "Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n", "longer");
  for (const char* field : {"host: evil.test", "Content-Length: 3", "Transfer-Encoding : chunked"})
    refused(head + "Transfer-Encoding: chunked\r\n\r\n0\r\n" + field + "\r\n\r\n",
            "belongs into the head");
}

TEST_CASE("HTTP/2 without TLS is refused, asked for or at once") {
  refused(
      "GET / HTTP/1.1\r\nHost: good.test\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: "
      "h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n",
      "HTTP/2");
  refused("GET / HTTP/1.1\r\nHost: good.test\r\nUpgrade: websocket, h2c\r\n\r\n", "HTTP/2");
  refused("GET / HTTP/1.1\r\nHost: good.test\r\nContent_Length: 5\r\n\r\n",
          "may be read as content-length");
  refused("GET / HTTP/1.1\r\nHost: good.test\r\nConnection: close, Content-Length\r\n\r\n",
          "takes content-length away");
  refused(
      "POST / HTTP/1.1\r\nHost: good.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n "
      "Content-Length: 5\r\n\r\n",
      "a broken line behind a body");
  refused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "version 1");
}

TEST_CASE("what follows an upgrade waits for the server's word") {
  const std::string ask =
      "GET /ws HTTP/1.1\r\nHost: good.test\r\nConnection: Upgrade\r\nUpgrade: "
      "websocket\r\n\r\n";
  const std::string evil = "GET / HTTP/1.1\r\nHost: evil.test\r\n\r\n";
  {
    HttpGuard g("good.test");
    std::string out;
    REQUIRE(g.feed(ask + "\x81\x05hello", out).ok());
    CHECK(out == ask);
    REQUIRE(g.waits_for_answer());
    REQUIRE(g.answered("HTTP/1.1 101", out).ok());
    CHECK(out == ask + "\x81\x05hello");
    CHECK(g.finished());
  }
  {
    HttpGuard g("good.test");
    std::string out;
    REQUIRE(g.feed(ask + evil, out).ok());
    CHECK_FALSE(g.answered("HTTP/1.1 200", out).ok());
    CHECK(out == ask);
  }
  refused("GET / HTTP/1.1\r\nHost: good.test\r\n\r\n" + ask, "not the first");
}

TEST_CASE("heads have a limit") {
  refused("GET / HTTP/1.1\r\nHost: good.test\r\nX: " + std::string(HttpGuard::kMaxHead, 'a'),
          "64 KiB");
}

TEST_CASE("first bytes tell HTTP from what it is not") {
  CHECK(first_bytes("GET / HT") == FirstBytes::more);
  CHECK(first_bytes("GET / HTTP/1.1\r\n") == FirstBytes::http);
  CHECK(first_bytes("\r\n\r\nGET / HTTP/1.1\r\n") == FirstBytes::http);
  CHECK(first_bytes("get / http/1.1\n") == FirstBytes::http);
  CHECK(first_bytes("PRI * HTTP/2.0\r\n") == FirstBytes::http);
  CHECK(first_bytes("SSH-2.0-x\r\n") == FirstBytes::other);
  CHECK(first_bytes(std::string_view("\0\0\0\x08", 4)) == FirstBytes::other);
  CHECK(first_bytes(std::string(kMaxFirstLine, 'a')) == FirstBytes::other);
}
