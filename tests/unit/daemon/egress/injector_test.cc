// SPDX-License-Identifier: Apache-2.0
#include "daemon/egress/injector.h"

#include <doctest/doctest.h>

#include "core/base/text.h"
#include "daemon/egress/answers.h"
#include "daemon/egress/http_guard.h"

using namespace codexos;
using namespace codexos::daemon;

namespace {
const std::string kHeld = "cxsec_0123456789abcdef0123456789abcdef";
const std::string kKey = "real-value-of-the-key";

Injection key_of(const std::string& host) {
  Injection i;
  i.secret = "key";
  i.placeholder = kHeld;
  i.value = Secret(kKey);
  i.hosts = *parse_net_rule(host);
  return i;
}
InjectionSetPtr set_of(Injection i) {
  std::vector<Injection> all;
  all.push_back(std::move(i));
  return std::make_shared<const InjectionSet>(std::move(all));
}

struct Sent {
  std::string bytes, told;
};
/// What goes out to `name` of `request`, in pieces of `piece` bytes.
Sent send(InjectionSetPtr set, const std::string& request, size_t piece = 1 << 20, bool tls = true,
          const std::string& name = "api.test", uint16_t port = 443) {
  Sent sent;
  Injector in(std::move(set), {name, port, tls},
              [&sent](const char* what, uint32_t, const std::string& where) {
                sent.told += std::string(what) + " " + where + "; ";
              });
  HttpGuard g(name);
  if (tls) g.expect_https();
  g.watched_by(&in);
  for (size_t at = 0; at < request.size(); at += piece)
    if (auto s = g.feed(std::string_view(request).substr(at, piece), sent.bytes); !s.ok()) {
      sent.told += "DENIED " + s.error().message;
      break;
    }
  return sent;
}
std::string get(const std::string& fields, const std::string& line = "GET /v1/x HTTP/1.1") {
  return line + "\r\nHost: api.test\r\n" + fields + "\r\n";
}
bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}
void stays(const std::string& request, const std::string& told, InjectionSetPtr set = nullptr) {
  if (!set) set = set_of(key_of("api.test"));
  const Sent s = send(set, request);
  CHECK_MESSAGE(!has(s.bytes, kKey), s.bytes);
  CHECK_MESSAGE(!has(s.bytes, to_base64("user:" + kKey)), s.bytes);
  CHECK_MESSAGE(has(s.told, "misplaced " + told), s.told);
  CHECK(!has(s.told, "used"));
}
}  // namespace

TEST_CASE("the placeholder is replaced in its header, wherever the request is cut") {
  const auto set = set_of(key_of("api.test"));
  const std::string request =
      get("AUTHORIZATION:  Bearer " + kHeld + "\r\nAccept-Encoding: gzip\r\n");
  for (size_t piece = 1; piece <= request.size(); ++piece) {
    const Sent s = send(set, request, piece);
    CHECK(s.bytes == "GET /v1/x HTTP/1.1\r\nHost: api.test\r\nAUTHORIZATION: Bearer " + kKey +
                         "\r\nAccept-Encoding: identity\r\n\r\n");
    CHECK(s.told == "used in header authorization; ");
  }
}

TEST_CASE("also inside of Basic") {
  const Sent s = send(set_of(key_of("api.test")),
                      get("Authorization: Basic " + to_base64("user:" + kHeld) + "\r\n"));
  CHECK(has(s.bytes, "Authorization: Basic " + to_base64("user:" + kKey) + "\r\n"));
  CHECK(s.told == "used in header authorization; ");
}

TEST_CASE("anywhere else it goes on as it is, and is told") {
  const std::string bearer = "Authorization: Bearer " + kHeld + "\r\n";
  stays(get("X-Key: " + kHeld + "\r\n"), "in header x-key: it is bound to header authorization");
  stays(get("X-Basic: " + to_base64("user:" + kHeld) + "\r\n"), "in header x-basic");
  stays(get(bearer + bearer), "in header authorization: the header is there twice");
  stays(get("", "GET /?k=" + kHeld + " HTTP/1.1"), "in a URL");
  stays("GET / HTTP/1.0\r\n" + bearer + "\r\n",
        "in header authorization: the request names no host");
  stays("POST / HTTP/1.1\r\nHost: api.test\r\nContent-Length: " + std::to_string(kHeld.size()) +
            "\r\n\r\n" + kHeld,
        "behind the head");
  stays("POST / HTTP/1.1\r\nHost: api.test\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n" +
            kHeld.substr(0, 6) + "\r\n20\r\n" + kHeld.substr(6) + "\r\n0\r\n\r\n",
        "behind the head");
  stays(
      "POST / HTTP/1.1\r\nHost: api.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
      "Authorization: " +
          kHeld + "\r\n\r\n",
      "behind the head");
}

TEST_CASE("another host, port or no TLS gets the placeholder") {
  const auto set = set_of(key_of("api.test"));
  const std::string request = get("Authorization: " + kHeld + "\r\n");
  CHECK(send(set, request, 5, false).bytes == request);
  CHECK(has(send(set, request, 5, false).told, "not in TLS"));
  CHECK(send(set, request, 5, true, "api.test", 8443).bytes == request);
  CHECK(send(set_of(key_of("other.test")), request).bytes == request);
}

TEST_CASE("method and path are looked at for every request") {
  Injection i = key_of("api.test");
  i.methods = {"GET"};
  i.path_prefix = "/v1";
  const auto set = set_of(std::move(i));
  const std::string bearer = "Authorization: Bearer " + kHeld + "\r\n";
  CHECK(has(send(set, get(bearer)).bytes, kKey));
  stays(get(bearer, "POST /v1/x HTTP/1.1"),
        "in header authorization: it is not bound to this method", set);
  for (const char* path : {"/v10", "/", "/v1/../admin", "/v1/%2e%2e/admin", "/v1//x", "/v1%2fx",
                           "/v1/..", "/V1", "/v1;x", "/v1/\\..\\x"})
    stays(get(bearer, "GET " + std::string(path) + " HTTP/1.1"),
          "in header authorization: it is not bound to this path", set);
  const Sent both = send(set, get(bearer) + get(bearer, "GET /other HTTP/1.1"));
  CHECK(has(both.bytes, kKey));
  CHECK(has(both.bytes, "GET /other HTTP/1.1\r\nHost: api.test\r\n" + bearer));
}

TEST_CASE("a value that would break the head is never put in") {
  Injection i = key_of("api.test");
  i.value = Secret("evil\r\nHost: other.test");
  stays(get("Authorization: " + kHeld + "\r\n"),
        "in header authorization: its value is not one line", set_of(std::move(i)));
}

TEST_CASE("what hides a second request or a folded header is refused, with no value sent") {
  const auto set = set_of(key_of("api.test"));
  const std::string bearer = "Authorization: Bearer " + kHeld + "\r\n";
  for (const std::string& bad :
       {get("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n" + bearer),
        get("X: a\r\n " + bearer), get("Content-Length: 1\r\nContent-Length: 2\r\n" + bearer),
        get("Host: evil.test\r\n" + bearer), get(bearer, "GET http://evil.test/ HTTP/1.1"),
        get("X: " + std::string(70'000, 'a') + "\r\n" + bearer)}) {
    const Sent s = send(set, bad);
    CHECK(has(s.told, "DENIED"));
    CHECK(!has(s.bytes, kKey));
  }
}

// ---- exchanges of tokens

namespace {
const std::string kAccessHeld = "cxsec_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
struct Kept {
  InjectionSet::Fresh fresh;
  Status answer;
};
/// A refresh token that goes to login.test/token, and the access token that comes of it.
InjectionSetPtr exchange_of(std::shared_ptr<Kept> kept) {
  Injection refresh = key_of("api.test"), access = key_of("api.test");
  refresh.hosts.clear();
  refresh.whole_word = access.whole_word = true;
  access.placeholder = kAccessHeld;
  access.value = Secret("first-access-token");
  TokenExchange e;
  e.hosts = *parse_net_rule("api.test");
  e.path = "/token";
  e.sends = 0;
  e.gives = {{"access_token", 1}, {"refresh_token", 0}};
  std::vector<Injection> all;
  all.push_back(std::move(refresh));
  all.push_back(std::move(access));
  return std::make_shared<const InjectionSet>(
      std::move(all), std::vector{e}, [kept](const InjectionSet::Fresh& fresh) {
        for (const auto& [index, token] : fresh) kept->fresh.emplace(index, token.copy());
        return kept->answer.ok() ? Status() : Status(kept->answer.error());
      });
}
std::string post(const std::string& body, const std::string& type,
                 const std::string& path = "/token") {
  return "POST " + path + " HTTP/1.1\r\nHost: api.test\r\nContent-Type: " + type +
         "\r\nExpect: 100-continue\r\nAccept-Encoding: br\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + body;
}
}  // namespace

TEST_CASE("the token goes into the body of an exchange, whatever the shape around it") {
  const auto set = exchange_of(std::make_shared<Kept>());
  for (const char* shape : {"", "sk-ant-ort01-", "eyJhbGciOiJub25lIn0.eyJhIjoxfQ."}) {
    const std::string json = R"({"a":1,"refresh_token":")" + std::string(shape) + kHeld + "\"}";
    const std::string clean = R"({"a":1,"refresh_token":")" + kKey + "\"}";
    const std::string request = post(json, "application/json");
    for (size_t piece = 1; piece <= request.size(); piece += 7) {
      const Sent s = send(set, request + get(""), piece);
      CHECK(s.bytes ==
            "POST /token HTTP/1.1\r\nHost: api.test\r\nContent-Type: application/json\r\n"
            "Accept-Encoding: identity\r\nContent-Length: " +
                std::to_string(clean.size()) + "\r\n\r\n" + clean + get(""));
      CHECK(s.told == "used in a body; ");
    }
  }
  const Sent form = send(set, post("grant_type=refresh_token&refresh_token=" + kHeld,
                                   "application/x-www-form-urlencoded"));
  CHECK(has(form.bytes, "&refresh_token=" + kKey));
}

TEST_CASE("a refresh token goes nowhere else, nor does another one go there") {
  const auto set = exchange_of(std::make_shared<Kept>());
  const std::string body = R"({"refresh_token":")" + kHeld + "\"}";
  stays(post(body, "application/json", "/token/x"), "behind the head", set);
  stays(post(body, "application/json", "/token?x"), "behind the head", set);
  stays(get("Authorization: Bearer " + kHeld + "\r\n"), "in header authorization", set);
  stays("POST /token HTTP/1.1\r\nHost: api.test\r\nTransfer-Encoding: chunked\r\n\r\n26\r\n" +
            kHeld + "\r\n0\r\n\r\n",
        "behind the head", set);
  stays(post(body + std::string(70'000, ' '), "application/json"), "behind the head", set);
  CHECK(!has(send(set, post(body, "application/json"), 9, false).bytes, kKey));
  CHECK(!has(send(set, post(body, "application/json"), 9, true, "api.test", 444).bytes, kKey));
  const Sent access = send(set, post(R"({"refresh_token":")" + kAccessHeld + "\"}", "text/json"));
  CHECK(has(access.bytes, kAccessHeld));
  CHECK(has(access.told, "misplaced behind the head"));
}

TEST_CASE("new tokens are kept, and the task gets its placeholders again") {
  const auto kept = std::make_shared<Kept>();
  const auto set = exchange_of(kept);
  const auto body = settle_exchange(
      *set, 0,
      R"({"access_token":"eyJhIjoxfQ.eyJiIjoyfQ.new-signature","refresh_token":"sk-ant-ort01-newrefreshtoken0123","expires_in":60,"token_type":"x","other_token":"canary"})");
  REQUIRE(body.ok());
  CHECK(*body == R"({"access_token":"eyJhIjoxfQ.eyJiIjoyfQ.)" + kAccessHeld +
                     R"(","refresh_token":"sk-ant-ort01-)" + kHeld +
                     R"(","expires_in":60,"token_type":"x"})");
  CHECK(kept->fresh.at(0).view() == "sk-ant-ort01-newrefreshtoken0123");
  CHECK(set->values()->all[1].view() == "eyJhIjoxfQ.eyJiIjoyfQ.new-signature");
  const Sent s =
      send(set, get("Authorization: Bearer eyJhIjoxfQ.eyJiIjoyfQ." + kAccessHeld + "\r\n"));
  CHECK(has(s.bytes, "Bearer eyJhIjoxfQ.eyJiIjoyfQ.new-signature\r\n"));
}

TEST_CASE("tokens that no disk holds are used, and what cannot be understood goes nowhere") {
  const auto kept = std::make_shared<Kept>();
  kept->answer = Status(Error{Code::internal, "no room", {}});
  const auto set = exchange_of(kept);
  CHECK(settle_exchange(*set, 0, R"({"access_token":"second-access-token"})").ok());
  CHECK(set->values()->all[1].view() == "second-access-token");
  CHECK(set->values()->all[0].view() == kKey);
  // What the disk has is older.
  InjectionSet::Fresh of_the_disk;
  of_the_disk.emplace(1, Secret("first-access-token"));
  set->replace(of_the_disk);
  CHECK(set->values()->all[1].view() == "second-access-token");
  kept->fresh.clear();
  kept->answer = Status();
  set->replace(of_the_disk);
  CHECK(kept->fresh.at(1).view() == "second-access-token");
  const auto before = set->values();
  set->replace(kept->fresh);
  CHECK(set->values() == before);
  CHECK(set->values()->all[1].view() == "second-access-token");
  for (const char* bad : {"", "x", "[]", "{}", R"({"data":{"access_token":"x"}})",
                          R"({"access_token":{"v":"x"}})", R"({"access_token":1})"})
    CHECK(!settle_exchange(*set, 0, bad).ok());
}

// ---- requests that may use a model

namespace {
/// Of one request at a time; leave is given by the test.
struct FakeMetering final : Metering {
  struct Call final : MeteredCall {
    Call(FakeMetering& o, const OwnRequest& r)
        : owner(o), head(r.task + " " + r.method + " " + r.target) {}
    void ask(std::string body, std::function<void()>) override {
      owner.asked += head + " " + body + ";";
    }
    ~Call() override { owner.told += "gone;"; }
    std::optional<Leave> take_leave() override { return std::exchange(owner.leave, std::nullopt); }
    void on_head(int status, std::string_view type) override {
      owner.told += std::to_string(status) + " " + std::string(type) + ";";
    }
    void on_body(std::string_view bytes) override { owner.told += std::string(bytes) + ";"; }
    void on_end() override { owner.told += "end;"; }
    void on_cut() override { owner.told += "broken;"; }
    FakeMetering& owner;
    std::string head;
  };
  bool serves_models(std::string_view, uint16_t) override { return true; }
  Result<std::unique_ptr<MeteredCall>> begin(const OwnRequest& r) override {
    methods += r.method + ";";
    if (r.target == "/broken") return Error{Code::invalid, "providers.yaml:1: no", {}};
    if (r.target != "/v1/x") return std::unique_ptr<MeteredCall>();
    return std::unique_ptr<MeteredCall>(new Call(*this, r));
  }
  std::optional<Leave> leave;
  std::string asked, told, methods;
};

struct MeteredSide {
  FakeMetering metering;
  std::string out;
  Injector in{
      set_of(key_of("api.test")),
      {"api.test", 443, true, {"t1", [this]() -> Result<Metering*> { return &metering; }, {}}},
      [](const char*, uint32_t, const std::string&) {}};
  HttpGuard guard{"api.test"};
  MeteredSide() {
    guard.expect_https();
    guard.watched_by(&in);
  }
  void feed(const std::string& bytes, size_t piece) {
    for (size_t at = 0; at < bytes.size(); at += piece)
      REQUIRE(guard.feed(std::string_view(bytes).substr(at, piece), out).ok());
  }
};
const std::string kWithKey = "Authorization: Bearer " + kHeld + "\r\n";
}  // namespace

TEST_CASE("a request to a model is held until there is leave") {
  const std::string sized =
      get(kWithKey + "Content-Encoding: c\r\nContent-Length: 5\r\n", "POST /v1/x HTTP/1.1") +
      "hello";
  const std::string chunked =
      get(kWithKey + "Content-Encoding: c\r\nTransfer-Encoding: chunked\r\n",
          "POST /v1/x HTTP/1.1") +
      "2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nTrailer: t\r\n\r\n";
  for (const std::string& request : {sized, chunked})
    for (const size_t piece : {size_t{1}, size_t{7}, size_t{100'000}}) {
      const bool plain = piece == 1;
      MeteredSide s;
      s.feed(request + get("", "GET /next HTTP/1.1"), piece);
      CHECK(s.metering.asked == "t1 POST /v1/x hello;");
      CHECK(s.out.empty());
      CHECK(s.guard.waits_for_watch());
      CHECK_FALSE(s.in.take_leave(s.out));
      s.metering.leave = Leave{true, "HELLO!", plain};
      REQUIRE(s.in.take_leave(s.out));
      CHECK(has(s.out, kKey));
      CHECK(has(s.out, "Content-Length: 6\r\n\r\nHELLO!"));
      CHECK_FALSE(has(s.out, "chunked"));
      CHECK(has(s.out, "Content-Encoding: c") == !plain);
      CHECK_FALSE(has(s.out, "/next"));
      REQUIRE(s.guard.go_on(s.out).ok());
      CHECK(has(s.out, "GET /next"));
      CHECK(s.in.asked().size() == 2);
      Answers answers(s.in.asked(), {[]() { return nullptr; }, [](uint32_t) {},
                                     [](std::string_view) { return Status(); }, nullptr});
      std::string down;
      REQUIRE(answers
                  .feed("HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nTransfer-Encoding: "
                        "chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
                        down)
                  .ok());
      CHECK(s.metering.told == "200 a/b;ab;c;end;gone;");
    }
}

TEST_CASE("a request to a model that gets no leave is not sent") {
  MeteredSide s;
  s.feed(get(kWithKey + "Content-Length: 2\r\n", "POST /v1/x HTTP/1.1") + "{}", 1 << 20);
  s.metering.leave = Leave{false, "", false, {402, {}, "{}"}};
  const auto leave = s.in.take_leave(s.out);
  REQUIRE(leave);
  CHECK(leave->answer.status == 402);
  CHECK(s.out.empty());
  CHECK(s.metering.told == "gone;");
  CHECK_FALSE(s.in.waits());
  REQUIRE(s.guard.go_on(s.out).ok());
  s.feed(get(kWithKey), 1 << 20);
  CHECK(s.metering.asked == "t1 POST /v1/x {};t1 GET /v1/x ;");
}

TEST_CASE("what is not counted goes on at once; what cannot be told is refused") {
  MeteredSide s;
  s.feed(get(kWithKey, "GET /other HTTP/1.1"), 1 << 20);
  CHECK(has(s.out, kKey));
  CHECK(s.metering.asked.empty());
  s.out.clear();
  s.feed(get("", "GET /v1/x HTTP/1.1"), 1 << 20);  // without the value
  CHECK(s.metering.asked.empty());
  CHECK_FALSE(s.out.empty());
  s.out.clear();
  s.feed(get(kWithKey, "GET /broken HTTP/1.1"), 1 << 20);
  CHECK(has(s.in.refused(), "providers.yaml:1"));
  CHECK_FALSE(has(s.out, kKey));
  MeteredSide up;
  up.feed(get(kWithKey + "Upgrade: websocket\r\nConnection: Upgrade\r\n", "GET /v1/x HTTP/1.1"),
          1 << 20);
  CHECK(has(up.in.refused(), "websocket"));
  CHECK(up.out.empty());
}

TEST_CASE("what a server may take for another request is refused, or counts as posted") {
  for (const char* method : {"GET", "HEAD", "OPTIONS"}) {
    MeteredSide s;
    s.feed(get("Content-Length: 2\r\n", std::string(method) + " /x HTTP/1.1") + "hi", 1 << 20);
    CHECK(has(s.in.refused(), "a body with "));
    CHECK_FALSE(has(s.out, method));
  }
  for (const char* field : {"X-HTTP-Method-Override: POST", "X-Original-URL: /v1/messages"}) {
    MeteredSide s;
    s.feed(get(kWithKey + field + "\r\n", "GET /x HTTP/1.1"), 1 << 20);
    CHECK(s.metering.methods == "POST;");
  }
  MeteredSide s;
  s.feed(get(kWithKey, "GET /x?_method=POST HTTP/1.1") + get(kWithKey, "GET /x HTTP/1.1"), 1 << 20);
  CHECK(s.metering.methods == "POST;GET;");
}

TEST_CASE("many that wait have no more room than one") {
  MeteredSide s;
  const auto held = std::make_shared<size_t>(HeldRoom::kMost - 3);
  Injector in(
      set_of(key_of("api.test")),
      {"api.test", 443, true, {"t1", [&]() -> Result<Metering*> { return &s.metering; }, held}},
      [](const char*, uint32_t, const std::string&) {});
  HttpGuard guard("api.test");
  guard.expect_https();
  guard.watched_by(&in);
  REQUIRE(
      guard.feed(get(kWithKey + "Content-Length: 5\r\n", "POST /v1/x HTTP/1.1") + "hello", s.out)
          .ok());
  CHECK(has(in.refused(), "too many that wait"));
  CHECK(*held == HeldRoom::kMost - 3);
}

TEST_CASE("one request has 32 MiB") {
  constexpr size_t kMost = 32 << 20, kPiece = 1 << 20;
  for (const size_t size : {kMost, kMost + 1}) {
    MeteredSide s;
    s.feed(
        get(kWithKey + "Content-Length: " + std::to_string(size) + "\r\n", "POST /v1/x HTTP/1.1"),
        kPiece);
    s.feed(std::string(size, 'x'), kPiece);
    CHECK(s.in.refused().empty() == (size == kMost));
    CHECK(s.in.waits() == (size == kMost));
    CHECK(s.out.empty());
  }
}

TEST_CASE("an answer that is cut short does not end well for who counts") {
  for (const std::string body : {"Content-Length: 9\r\n\r\nabc",
                                 "Transfer-Encoding: "
                                 "chunked\r\n\r\n3\r\nabc\r\n"}) {
    MeteredSide s;
    s.feed(get(kWithKey), 1 << 20);
    s.metering.leave = Leave{true, "", false};
    REQUIRE(s.in.take_leave(s.out));
    Answers answers(s.in.asked(), {[]() { return nullptr; }, [](uint32_t) {},
                                   [](std::string_view) { return Status(); }, nullptr});
    std::string down;
    REQUIRE(answers.feed("HTTP/1.1 200 OK\r\n" + body, down).ok());
    (void)answers.end(down);
    CHECK(s.metering.told == "200 ;abc;broken;gone;");
  }
}
