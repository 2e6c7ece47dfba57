// SPDX-License-Identifier: Apache-2.0
#include "daemon/egress/answers.h"

#include <doctest/doctest.h>

using namespace codexos;
using namespace codexos::daemon;

namespace {
const std::string kEchoed = "real-value-of-the-key";
const std::string kStars(kEchoed.size(), '*');

/// What stands instead of a body that gives tokens.
Result<std::string> no_tokens(uint32_t exchange, std::string_view body) {
  if (body == "bad") return Error{Code::denied, "no tokens", {}};
  return "[" + std::to_string(exchange) + ":" + std::to_string(body.size()) + "]";
}

/// What a client gets of `bytes`, fed in pieces; "ERROR: why" behind what was passed on before.
std::string answer(const std::string& bytes, size_t piece, AskedQueue asked) {
  auto values = std::make_shared<Redactor>();
  values->add(kEchoed, 0);
  values->finish();
  Answers a(asked, {[values] { return values; }, nullptr, [](std::string_view) { return Status(); },
                    no_tokens});
  std::string out;
  for (size_t at = 0; at < bytes.size(); at += piece)
    if (auto s = a.feed(std::string_view(bytes).substr(at, piece), out); !s.ok())
      return out + "ERROR: " + s.error().message;
  if (auto s = a.end(out); !s.ok()) return out + "ERROR: " + s.error().message;
  return out;
}
AskedRequest with_value() {
  AskedRequest a;
  a.with_value = true;
  return a;
}
/// The content of chunks, which may be cut anew.
std::string joined(const std::string& chunks) {
  std::string out;
  for (size_t at = chunks.find("\r\n\r\n") + 4; at < chunks.size();) {
    const size_t n = std::stoul(chunks.substr(at), nullptr, 16);
    at = chunks.find("\r\n", at) + 2;
    out += chunks.substr(at, n);
    at += n + 2;
    if (n == 0) break;
  }
  return out;
}
}  // namespace

TEST_CASE("a value is overwritten in head and body, and lengths stay true, wherever it is cut") {
  const std::string text = "HTTP/1.1 200 OK\r\nX-Echo: " + kEchoed +
                           "\r\nContent-Length: " + std::to_string(kEchoed.size() + 2) +
                           "\r\n\r\n<" + kEchoed + ">" + "HTTP/1.1 204 No Content\r\n\r\n";
  const std::string clean = "HTTP/1.1 200 OK\r\nX-Echo: " + kStars +
                            "\r\nContent-Length: " + std::to_string(kEchoed.size() + 2) +
                            "\r\n\r\n<" + kStars + ">" + "HTTP/1.1 204 No Content\r\n\r\n";
  for (size_t piece = 1; piece <= text.size(); ++piece)
    CHECK(answer(text, piece, {with_value(), with_value()}) == clean);
}

TEST_CASE("a value that is spread over chunks is found") {
  std::string text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const char c : "a" + kEchoed + "z") text += std::string("1;x\r\n") + c + "\r\n";
  text += "0\r\nX-Trailer: " + kEchoed + "\r\n\r\n";
  for (size_t piece = 1; piece <= 64; ++piece) {
    const std::string out = answer(text, piece, {with_value()});
    CHECK(joined(out) == "a" + kStars + "z");
    CHECK(out.find("0\r\nX-Trailer: " + kStars + "\r\n\r\n") != std::string::npos);
  }
}

TEST_CASE("until the server ends, and behind an upgrade") {
  CHECK(answer("HTTP/1.0 200 OK\r\n\r\n" + kEchoed, 3, {with_value()}) ==
        "HTTP/1.0 200 OK\r\n\r\n" + kStars);
  AskedRequest up;
  up.upgrade = true;
  CHECK(answer("HTTP/1.1 101 Switching Protocols\r\n\r\n\x01" + kEchoed, 3, {up}) ==
        "HTTP/1.1 101 Switching Protocols\r\n\r\n\x01" + kStars);
}

TEST_CASE("an answer that is compressed all the same is not passed on") {
  const std::string gzip =
      "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc";
  CHECK(answer(gzip, 4, {with_value()}).find("ERROR: the server compressed") == 0);
  CHECK(answer(gzip, 4, {AskedRequest()}) == gzip);
  AskedRequest head = with_value();
  head.head = true;
  const std::string empty =
      "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n";
  CHECK(answer(empty, 4, {head}) == empty);
  CHECK(answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 9, {with_value()})
            .find("ERROR") == 0);
}

TEST_CASE("an interim answer is not the answer") {
  const std::string text =
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx";
  CHECK(answer(text, 5, {with_value()}) == text);
}

TEST_CASE("what is no answer, or to nobody, is an error") {
  CHECK(answer("220 smtp\r\n\r\n", 3, {with_value()}).find("ERROR") == 0);
  CHECK(answer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 99, {}).find("ERROR") == 0);
  CHECK(answer("HTTP/1.1 101 Switching\r\n\r\n", 99, {with_value()}).find("ERROR") == 0);
  CHECK(answer("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 99,
               {with_value()})
            .find("ERROR") == 0);
}

TEST_CASE("an answer that gives tokens is replaced as a whole, wherever it is cut") {
  AskedRequest tokens = with_value();
  tokens.exchange = 2;
  const std::string next = "HTTP/1.1 204 No Content\r\n\r\n";
  const std::string clean = "HTTP/1.1 200 OK\r\nX-A: b\r\nContent-Length: 6\r\n\r\n[2:10]";
  const std::string plain =
      "HTTP/1.1 200 OK\r\nX-A: b\r\nContent-Length: 10\r\n\r\n0123456789" + next;
  const std::string chunked =
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\nX-A: b\r\n\r\n"
      "4\r\n0123\r\n6;x\r\n456789\r\n0\r\nX: y\r\n\r\n" +
      next;
  for (const std::string& text : {plain, chunked})
    for (size_t piece = 1; piece <= text.size(); ++piece)
      CHECK(answer(text, piece, {tokens, AskedRequest()}) == clean + next);
  CHECK(answer("HTTP/1.1 200 OK\r\nX-A: b\r\n\r\n0123456789", 7, {tokens}) == clean);
}

TEST_CASE(
    "an answer without tokens is one like any other, and nothing of half a one is passed on") {
  AskedRequest tokens = with_value();
  tokens.exchange = 0;
  const std::string refused = "HTTP/1.1 400 Bad Request\r\nContent-Length: 3\r\n\r\nbad";
  CHECK(answer(refused, 5, {tokens}) == refused);
  CHECK(answer("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad", 5, {tokens}) ==
        "ERROR: no tokens");
  CHECK(answer("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbad", 5, {tokens}).find("ERROR") == 0);
  CHECK(answer("HTTP/1.1 200 OK\r\n\r\n" + std::string(300 << 10, 'x'), 9999, {tokens})
            .find("ERROR: an answer with new tokens of more than") == 0);
}
