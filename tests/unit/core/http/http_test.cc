// SPDX-License-Identifier: Apache-2.0
// HTTP bytes: pipelining, every split, limits, and what must be refused.
#include "core/http/http.h"

#include <doctest/doctest.h>

#include <random>
#include <vector>

namespace codexos::http {
namespace {

constexpr std::string_view kTwo =
    "POST /v1/tasks?all=1&name=a%20b HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
    "X-One: 1\r\nx-one: 2\r\n\r\nhello"
    "GET /v1/tasks/abc%2Eq HTTP/1.1\r\nhost: x\r\nConnection: close\r\n\r\n";

void check_two(RequestParser& p) {
  const auto first = p.next();
  REQUIRE(first.ok());
  REQUIRE(first->has_value());
  CHECK((*first)->method == "POST");
  CHECK((*first)->path == "/v1/tasks");
  CHECK((*first)->query.at("name") == "a b");
  CHECK((*first)->headers.find("x-one") == "1, 2");
  CHECK((*first)->headers.find("absent").empty());
  CHECK((*first)->body == "hello");
  CHECK((*first)->keep_alive);
  const auto second = p.next();
  REQUIRE(second.ok());
  REQUIRE(second->has_value());
  CHECK((*second)->path == "/v1/tasks/abc.q");
  CHECK_FALSE((*second)->keep_alive);
  const auto third = p.next();
  REQUIRE(third.ok());
  CHECK_FALSE(third->has_value());
}

TEST_CASE("two requests in one piece come out one after the other") {
  RequestParser p;
  REQUIRE(p.feed(kTwo).ok());
  check_two(p);
}

TEST_CASE("a request comes out the same however it is cut") {
  for (size_t cut = 0; cut <= kTwo.size(); ++cut) {
    RequestParser p;
    REQUIRE(p.feed(kTwo.substr(0, cut)).ok());
    REQUIRE(p.feed(kTwo.substr(cut)).ok());
    check_two(p);
  }
  RequestParser p;
  for (const char c : kTwo) REQUIRE(p.feed(std::string_view(&c, 1)).ok());
  check_two(p);
}

TEST_CASE("a chunked body is put together") {
  RequestParser p;
  REQUIRE(p.feed("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n"
                 "0\r\nTrailer: t\r\n\r\n")
              .ok());
  CHECK((*p.next())->body == "abcde");
}

TEST_CASE("a chunked body may end in pieces, also an empty one") {
  constexpr std::string_view kHead = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const std::string_view body : {"0\r\n\r\n", "1\r\na\r\n0\r\n\r\n", "0;x\r\nT: r\r\n\r\n"}) {
    RequestParser p;
    REQUIRE(p.feed(kHead).ok());
    for (const char c : body) REQUIRE(p.feed({&c, 1}).ok());
    const auto r = p.next();
    REQUIRE(r.ok());
    REQUIRE(r->has_value());
    CHECK((*r)->body == (body[0] == '1' ? "a" : ""));
  }
}

TEST_CASE("what stands behind a chunked body is no header") {
  constexpr std::string_view kRest =
      "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Late: t\r\n\r\n";
  RequestParser request;
  REQUIRE(request.feed("POST / HTTP/1.1\r\n" + std::string(kRest)).ok());
  const auto r = request.next();
  REQUIRE(r.ok());
  CHECK((*r)->headers.map.count("x-late") == 0);
  ResponseParser response;
  REQUIRE(response.feed("HTTP/1.1 200 OK\r\n" + std::string(kRest)).ok());
  CHECK(response.done());
  CHECK(response.response().headers.map.count("x-late") == 0);
}

int refused(std::string_view bytes) {
  RequestParser p;
  auto fed = p.feed(bytes);
  if (!fed.ok()) {
    // It stays refused.
    CHECK_FALSE(p.feed("GET / HTTP/1.1\r\n\r\n").ok());
    CHECK_FALSE(p.next().ok());
  }
  return p.error_status();
}

TEST_CASE("malformed requests are refused with 400") {
  for (const std::string_view bytes : {
           std::string_view("\r\n\r\n\r\n"),
           std::string_view("GET\r\n\r\n"),
           std::string_view("GET / HTTP/2.7\r\n\r\n"),
           std::string_view("GET / HTTP/1.1\r\nbad header\r\n\r\n"),
           std::string_view("GET / HTTP/1.1\r\na\0b: c\r\n\r\n", 26),
           std::string_view("GET /%zz HTTP/1.1\r\n\r\n"),
           std::string_view("GET /% HTTP/1.1\r\n\r\n"),
           std::string_view("GET /a%00b HTTP/1.1\r\n\r\n"),
           std::string_view("GET /a%2fb HTTP/1.1\r\n\r\n"),
           std::string_view("GET /?a=1&a=2 HTTP/1.1\r\n\r\n"),
           std::string_view("GET http://x/ HTTP/1.1\r\n\r\n"),
           std::string_view("CONNECT x:443 HTTP/1.1\r\n\r\n"),
           std::string_view("POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n"),
           std::string_view("POST / HTTP/1.1\r\nContent-Length: 1x\r\n\r\n"),
           std::string_view("POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"),
           std::string_view("POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n"),
           std::string_view(
               "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"),
           std::string_view("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
           std::string_view("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11),
       }) {
    CAPTURE(bytes);
    CHECK(refused(bytes) == 400);
  }
}

TEST_CASE("what is too large is refused before it is held") {
  CHECK(refused("GET /" + std::string(kMaxHead, 'a') + " HTTP/1.1\r\n\r\n") == 431);
  CHECK(refused("GET / HTTP/1.1\r\nx: " + std::string(kMaxHead, 'a') + "\r\n\r\n") == 431);
  std::string many = "GET / HTTP/1.1\r\n";
  while (many.size() < kMaxHead + 100) many += "a: b\r\n";
  CHECK(refused(many + "\r\n") == 431);
  CHECK(refused("POST / HTTP/1.1\r\nContent-Length: " + std::to_string(kMaxBody + 1) +
                "\r\n\r\n") == 413);
  CHECK(refused("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffff\r\n") == 413);
}

TEST_CASE("a request behind a bad one's predecessor is still served first") {
  RequestParser p;
  CHECK(p.feed("GET /a HTTP/1.1\r\n\r\nnonsense\r\n\r\n").ok());
  CHECK((*p.next())->path == "/a");
  CHECK_FALSE(p.next().ok());
  CHECK(p.error_status() == 400);
}

TEST_CASE("100-continue is asked for once, and not when the body is there") {
  RequestParser p;
  const std::string_view head =
      "PUT / HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";
  REQUIRE(p.feed(head).ok());
  CHECK(p.take_continue());
  CHECK_FALSE(p.take_continue());
  REQUIRE(p.feed("ab").ok());
  CHECK((*p.next())->body == "ab");
  REQUIRE(p.feed(std::string(head) + "cd").ok());
  CHECK_FALSE(p.take_continue());
}

TEST_CASE("damaged requests never crash the parser") {
  std::mt19937 random(7);  // NOLINT: the same bytes in every run
  for (int round = 0; round < 20000; ++round) {
    std::string bytes(kTwo);
    for (int hits = 1 + static_cast<int>(random() % 4); hits > 0; --hits)
      bytes[random() % bytes.size()] = static_cast<char>(random());
    RequestParser p;
    const size_t cut = random() % bytes.size();
    if (!p.feed(std::string_view(bytes).substr(0, cut)).ok()) continue;
    if (!p.feed(std::string_view(bytes).substr(cut)).ok()) continue;
    for (int i = 0; i < 4; ++i) {
      const auto r = p.next();
      if (!r.ok() || !r->has_value()) break;
    }
  }
}

TEST_CASE("a response comes out the same however it is cut, and what follows stays") {
  Response r;
  r.status = 404;
  r.headers.map["content-type"] = "application/problem+json";
  r.body = "{\"code\":\"not_found\"}";
  const std::string bytes = write_response(r) + "REST";
  for (size_t cut = 0; cut < bytes.size(); ++cut) {
    ResponseParser p;
    const auto first = p.feed(std::string_view(bytes).substr(0, cut));
    const auto second = p.feed(std::string_view(bytes).substr(cut));
    REQUIRE(first.ok());
    REQUIRE(second.ok());
    CHECK(*first + *second == bytes.size() - 4);
    REQUIRE(p.done());
    CHECK(p.response().status == 404);
    CHECK(p.response().headers.find("content-type") == "application/problem+json");
    CHECK(p.response().body == r.body);
    CHECK(p.finish().ok());
  }
}

TEST_CASE("frames that follow a 101 are left alone, interim answers are skipped") {
  Response r;
  r.status = 101;
  r.headers.map = {{"connection", "upgrade"}, {"upgrade", "codexos-frames/1"}};
  const std::string bytes = "HTTP/1.1 100 Continue\r\n\r\n" + write_response(r);
  ResponseParser p;
  const std::string all = bytes + std::string("\x10\x01\x00\x00", 4);
  CHECK(*p.feed(all) == bytes.size());
  CHECK(p.done());
  CHECK(p.response().headers.find("upgrade") == "codexos-frames/1");
}

TEST_CASE("a stream's pieces are given out as they come, and a cut is told") {
  Response r;
  std::string seen;
  ResponseParser p;
  p.stream_body([&](std::string_view piece) { seen.append(piece); });
  REQUIRE(p.feed(write_chunked_head(r) + chunk("one\n")).ok());
  CHECK(p.head_done());
  CHECK(seen == "one\n");
  REQUIRE(p.feed(chunk("two\n").substr(0, 4)).ok());
  CHECK_FALSE(p.done());
  CHECK(p.finish().error().code == Code::unavailable);
  ResponseParser whole;
  REQUIRE(whole.feed(write_chunked_head(r) + chunk("x") + std::string(kLastChunk)).ok());
  CHECK(whole.done());
  CHECK(whole.response().body == "x");
  ResponseParser nothing;
  CHECK_FALSE(nothing.finish().ok());
}

TEST_CASE("written requests are read back, and no value can begin a header of its own") {
  Request r;
  r.method = "POST";
  r.headers.map["x-a"] = "1\r\nx-evil: 2";
  r.body = "{}";
  const std::string target = make_target("/v1/tasks", {{"na me", "ü&/"}, {"b", "+"}});
  CHECK(target == "/v1/tasks?b=%2B&na%20me=%C3%BC%26%2F");
  RequestParser p;
  REQUIRE(p.feed(write_request(r, target)).ok());
  const auto back = p.next();
  REQUIRE((back.ok() && back->has_value()));
  CHECK((*back)->query.at("na me") == "ü&/");
  CHECK((*back)->query.at("b") == "+");
  CHECK((*back)->headers.find("x-evil").empty());
  CHECK((*back)->body == "{}");
}

}  // namespace
}  // namespace codexos::http
