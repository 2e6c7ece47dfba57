// SPDX-License-Identifier: Apache-2.0
#include "daemon/gateway/gateway.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <fstream>
#include <functional>

#include "core/os/socket.h"
#include "daemon/gateway/model_log.h"
#include "tests/unit/temp_dir.h"

using namespace codexos;
using namespace codexos::daemon;

namespace {

/// A budget of money in memory, answered in a later turn as the real one.
class TestLedger final : public Ledger {
 public:
  explicit TestLedger(Loop& loop) : loop_(loop) {}
  void reserve(const Charge& c, Done done) override {
    charges.push_back(c);
    loop_.after_ms(0, "test ledger", [this, c, done] {
      const uint64_t left = hard - std::min(hard, spent + reserved());
      const uint64_t output = affordable_output(c, left);
      if (c.max_cost_micros > left && output < std::max<uint64_t>(c.least_output_tokens, 1))
        return done(Error{Code::exhausted, "the budget of 1 USD is used up", {}});
      Grant g;
      g.id = next_++;
      g.max_output_tokens = output;
      if (spent >= soft && !c.downgrade.empty()) {
        g.downgrade_to = c.downgrade;
        g.note = "soft cap";
      }
      open[g.id] = std::min(c.max_cost_micros, left);
      most_reserved = std::max(most_reserved, spent + reserved());
      done(g);
    });
  }
  void settle(uint64_t id, const ModelUsage& u) override {
    REQUIRE(open.erase(id) == 1);
    spent += u.cost_micros;
    usages.push_back(u);
  }
  uint64_t reserved() const {
    uint64_t n = 0;
    for (const auto& [id, micros] : open) n += micros;
    return n;
  }
  uint64_t hard = UINT64_MAX / 4, soft = UINT64_MAX, spent = 0, most_reserved = 0;
  std::vector<Charge> charges;
  std::vector<ModelUsage> usages;
  std::map<uint64_t, uint64_t> open;

 private:
  Loop& loop_;
  uint64_t next_ = 1;
};

class TestKeys final : public Keys {
 public:
  void find(const std::string&, const std::string& name, Done done) override {
    if (name == "KEY") return done(Secret("sk-secret"));
    done(Error{Code::not_found, "there is no such secret", {}});
  }
};

/// A provider's server in the same loop: what it got, and what it answers in pieces.
class TestServer {
 public:
  using Answer = std::function<std::vector<std::string>(const http::Request&)>;
  TestServer(Loop& loop, Answer answer) : loop_(loop), answer_(std::move(answer)) {
    listener_.reset(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    REQUIRE(bind(listener_.get(), reinterpret_cast<sockaddr*>(&at), size) == 0);
    REQUIRE(listen(listener_.get(), 64) == 0);
    getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&at), &size);
    port = ntohs(at.sin_port);
    (void)loop_.watch(listener_.get(), EPOLLIN, "test server", [this](uint32_t) { take(); });
  }
  ~TestServer() {
    loop_.forget(listener_.get());
    for (auto& [fd, c] : connections_) loop_.forget(fd);
  }
  int port = 0;
  std::vector<http::Request> got;
  size_t closed = 0;

 private:
  struct Connection {
    Fd fd;
    http::RequestParser parser;
  };
  void take() {
    Fd fd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    const int n = fd.get();
    connections_[n].fd = std::move(fd);
    (void)loop_.watch(n, EPOLLIN, "test server", [this, n](uint32_t) { on_bytes(n); });
  }
  void on_bytes(int n) {
    char buffer[65536];
    const ssize_t size = recv(n, buffer, sizeof buffer, MSG_DONTWAIT);
    Connection& c = connections_[n];
    if (size <= 0) return end(n);
    REQUIRE(c.parser.feed({buffer, static_cast<size_t>(size)}).ok());
    auto r = c.parser.next();
    REQUIRE(r.ok());
    if (!*r) return;
    got.push_back(**r);
    for (const auto& piece : answer_(got.back())) {
      if (piece == "CLOSE") return end(n);
      (void)!::send(n, piece.data(), piece.size(), MSG_NOSIGNAL);
    }
  }
  void end(int n) {
    loop_.forget(n);
    connections_.erase(n);
    ++closed;
  }
  Loop& loop_;
  Answer answer_;
  Fd listener_;
  std::map<int, Connection> connections_;
};

std::string json_answer(int status, const std::string& body, const std::string& more = "") {
  return "HTTP/1.1 " + std::to_string(status) + " X\r\ncontent-type: application/json\r\n" + more +
         "set-cookie: a=b\r\ncontent-length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

struct Got {
  int status = 0;
  http::Headers headers;
  std::string body;
  bool cut = false;
};

struct Bench {
  Bench() : loop(*Loop::make()), ledger(*loop) {}
  void providers(const std::string& text) { std::ofstream(dir.path + "/providers.yaml") << text; }
  Gateway& gateway() {
    if (!made) {
      auto g = Gateway::make(GatewayParts{*loop, ledger, keys, &logs}, {dir.path, {}});
      REQUIRE(g.ok());
      made = *std::move(g);
    }
    return *made;
  }
  Fd connect(const std::string& task = "t") {
    auto pair = socket_pair(SocketType::stream);
    REQUIRE(pair.ok());
    gateway().accept(task, std::move(pair->second));
    return std::move(pair->first);
  }
  /// Runs the loop until `done` or ten seconds have passed.
  void run_until(const std::function<bool()>& done) {
    bool late = false;
    const auto timer = loop->after_ms(10'000, "test", [&] {
      late = true;
      loop->stop();
    });
    loop->on_turn_end([&] {
      if (done()) loop->stop();
    });
    loop->defer([] {});
    loop->run();
    loop->on_turn_end([] {});
    loop->cancel(timer);
    CHECK_FALSE(late);
  }
  static std::string post(const std::string& path, const std::string& body) {
    return "POST " + path +
           " HTTP/1.1\r\nhost: llm\r\nauthorization: Bearer mine\r\n"
           "x-own: 1\r\ncontent-length: " +
           std::to_string(body.size()) + "\r\n\r\n" + body;
  }
  Got ask_on(const Fd& fd, const std::string& bytes) {
    (void)!::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    http::ResponseParser parser;
    Got got;
    bool over = false;
    (void)loop->watch(fd.get(), EPOLLIN, "test client", [&](uint32_t) {
      char buffer[65536];
      const ssize_t n = recv(fd.get(), buffer, sizeof buffer, MSG_DONTWAIT);
      if (n > 0) (void)parser.feed({buffer, static_cast<size_t>(n)});
      if (n <= 0) {
        got.cut = !parser.finish().ok();
        over = true;
      }
    });
    run_until([&] { return over || parser.done(); });
    loop->forget(fd.get());
    got.status = parser.response().status;
    got.headers = parser.response().headers;
    got.body = parser.response().body;
    return got;
  }
  Got ask(const std::string& path, const std::string& body) {
    const Fd fd = connect();
    return ask_on(fd, post(path, body));
  }
  TempDir dir;
  std::unique_ptr<Loop> loop;
  TestLedger ledger;
  TestKeys keys;
  ModelLogs logs{[this](const std::string& task) { return dir.path + "/" + task + ".log"; }};
  std::unique_ptr<Gateway> made;
};

std::string server_config(int port, const std::string& more = "") {
  return "providers:\n  - name: s\n    wires: [openai, anthropic]\n    base_url: "
         "http://127.0.0.1:" +
         std::to_string(port) + "\n    key: KEY\n    models: [\"m*\"]\n    unpriced: allow\n" +
         more;
}
const std::string kChat =
    R"({"model":"m","max_tokens":50,"messages":[{"role":"user","content":"hi"}]})";
const std::string kUsage = R"({"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":3}})";

}  // namespace

TEST_CASE("a request goes to its provider with the provider's key and comes back as it was") {
  Bench b;
  TestServer s(*b.loop, [](const http::Request&) {
    return std::vector<std::string>{json_answer(200, kUsage, "x-request-id: 7\r\n")};
  });
  b.providers(server_config(s.port));
  const Got got = b.ask("/v1/chat/completions", kChat);
  CHECK(got.status == 200);
  CHECK(got.body == kUsage);
  CHECK(got.headers.find("x-request-id") == "7");
  CHECK(got.headers.find("x-codexos-model") == "m");
  CHECK(got.headers.find("set-cookie").empty());
  REQUIRE(s.got.size() == 1);
  CHECK(s.got[0].path == "/chat/completions");
  CHECK(s.got[0].body == kChat);
  CHECK(s.got[0].headers.find("authorization") == "Bearer sk-secret");
  CHECK(s.got[0].headers.find("x-own") == "1");
  REQUIRE(b.ledger.usages.size() == 1);
  CHECK(b.ledger.usages[0].input == 9);
  CHECK(b.ledger.usages[0].status == 200);
  CHECK(b.ledger.open.empty());
}

TEST_CASE("Anthropic's wire: its key header, its path, its query") {
  Bench b;
  TestServer s(*b.loop, [](const http::Request&) {
    return std::vector<std::string>{json_answer(200, R"({"usage":{"input_tokens":1}})")};
  });
  b.providers(server_config(s.port));
  CHECK(b.ask("/v1/messages?beta=true", R"({"model":"m","max_tokens":5})").status == 200);
  REQUIRE(s.got.size() == 1);
  CHECK(s.got[0].path == "/v1/messages");
  CHECK(s.got[0].query.at("beta") == "true");
  CHECK(s.got[0].headers.find("x-api-key") == "sk-secret");
  CHECK(s.got[0].headers.find("authorization").empty());
}

TEST_CASE("a connection takes one request after the other, and says what it does not know") {
  Bench b;
  b.providers("");
  const Fd fd = b.connect();
  CHECK(b.ask_on(fd, "GET / HTTP/1.1\r\n\r\n").status == 200);
  CHECK(b.ask_on(fd, Bench::post("/v1/files", "{}")).status == 404);
  CHECK(b.ask_on(fd, "GET /v1/messages HTTP/1.1\r\n\r\n").status == 405);
  CHECK(b.ask_on(fd, Bench::post("/v1/messages", "{")).status == 400);
  const Got unknown = b.ask_on(fd, Bench::post("/v1/messages", R"({"model":"q"})"));
  CHECK(unknown.status == 404);
  CHECK(unknown.body.find("\"not_found_error\"") != std::string::npos);
  const Got key = b.ask_on(fd, Bench::post("/v1/messages", R"({"model":"claude-haiku-4-5"})"));
  CHECK(key.status == 400);
  CHECK(key.body.find("ANTHROPIC_API_KEY") != std::string::npos);
  CHECK(b.ask_on(fd, "GET /v1/models HTTP/1.1\r\n\r\n").body.find("gpt-4o") != std::string::npos);
  CHECK(b.ask_on(fd, "NONSENSE\r\n\r\n").status == 400);
  CHECK(b.ledger.charges.empty());
}

TEST_CASE("a broken providers.yaml is told to whoever asks, with its line, and read again") {
  Bench b;
  b.providers("providers: [{name: x}]\n");
  const Got got = b.ask("/v1/chat/completions", kChat);
  CHECK(got.status == 400);
  CHECK(got.body.find("providers.yaml:1") != std::string::npos);
  std::ofstream(b.dir.path + "/s.yaml") << "turns: [{reply: hello}]\n";
  b.providers("providers: [{name: s, wires: [scripted], models: [m], script: s.yaml}]\n");
  CHECK(b.ask("/v1/chat/completions", kChat).status == 200);
}

TEST_CASE("what passes is tried again, then the fallback is asked") {
  Bench b;
  int n = 0;
  TestServer s(*b.loop, [&](const http::Request&) {
    return std::vector<std::string>{++n == 1 ? json_answer(429, "{}", "retry-after-ms: 1\r\n")
                                             : json_answer(200, kUsage)};
  });
  TestServer second(*b.loop, [&](const http::Request&) {
    return std::vector<std::string>{json_answer(200, kUsage)};
  });
  b.providers(server_config(s.port, "    fallback: [two]\n    retries: 1\n") +
              "  - {name: two, wires: [openai], base_url: 'http://127.0.0.1:" +
              std::to_string(second.port) + "', models: [z], unpriced: allow}\n");
  CHECK(b.ask("/v1/chat/completions", kChat).status == 200);
  CHECK(s.got.size() == 2);
  n = -100;  // fails twice
  TestServer broken(*b.loop, [&](const http::Request&) {
    return std::vector<std::string>{json_answer(503, "{}", "retry-after-ms: 1\r\n")};
  });
  b.providers(server_config(broken.port, "    fallback: [two]\n    retries: 1\n") +
              "  - {name: two, wires: [openai], base_url: 'http://127.0.0.1:" +
              std::to_string(second.port) + "', models: [zz], unpriced: allow}\n");
  CHECK(b.ask("/v1/chat/completions", kChat).status == 200);
  CHECK(broken.got.size() == 2);
  CHECK(second.got.size() == 1);
  CHECK(b.ledger.open.empty());
}

TEST_CASE("an error of the provider is passed on as it is, and costs nothing") {
  Bench b;
  TestServer s(*b.loop, [](const http::Request&) {
    return std::vector<std::string>{json_answer(418, R"({"error":"teapot"})")};
  });
  b.providers(server_config(s.port));
  const Got got = b.ask("/v1/chat/completions", kChat);
  CHECK(got.status == 418);
  CHECK(got.body == R"({"error":"teapot"})");
  REQUIRE(b.ledger.usages.size() == 1);
  CHECK(b.ledger.usages[0].input == 0);
}

TEST_CASE("a stream is passed on piece by piece, and a break in it as a break") {
  Bench b;
  const std::string head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
  const std::string one = "data: {\"choices\":[{\"delta\":{\"content\":\"12345678\"}}]}\n\n";
  bool whole = true;
  TestServer s(*b.loop, [&](const http::Request&) {
    if (whole)
      return std::vector<std::string>{head, one, "data: " + kUsage + "\n\n", "data: [DONE]\n\n",
                                      "CLOSE"};
    return std::vector<std::string>{
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 9999\r\n\r\n", one,
        "CLOSE"};
  });
  b.providers(server_config(s.port));
  const std::string body = R"({"model":"m","stream":true,"max_tokens":9})";
  const Got got = b.ask("/v1/chat/completions", body);
  CHECK(got.status == 200);
  CHECK(got.body == one + "data: " + kUsage + "\n\ndata: [DONE]\n\n");
  CHECK(s.got[0].body.find("include_usage") != std::string::npos);
  CHECK(b.ledger.usages.back().input == 9);
  whole = false;
  const Got cut = b.ask("/v1/chat/completions", body);
  CHECK(cut.cut);
  CHECK(b.ledger.usages.back().estimated);
  CHECK(b.ledger.usages.back().output == 2);
  CHECK(b.ledger.open.empty());
}

TEST_CASE("a client that goes away cancels the request, which is settled") {
  Bench b;
  TestServer s(*b.loop, [](const http::Request&) { return std::vector<std::string>{}; });
  b.providers(server_config(s.port));
  Fd fd = b.connect();
  const std::string bytes = Bench::post("/v1/chat/completions", kChat);
  (void)!::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  b.run_until([&] { return s.got.size() == 1; });
  fd.reset();
  b.run_until([&] { return s.closed == 1; });
  CHECK(b.ledger.open.empty());
  REQUIRE(b.ledger.usages.size() == 1);
  CHECK(b.ledger.usages[0].estimated);
  CHECK(b.ledger.usages[0].status == 0);
}

TEST_CASE("a task that ends takes its requests with it") {
  Bench b;
  TestServer s(*b.loop, [](const http::Request&) { return std::vector<std::string>{}; });
  b.providers(server_config(s.port));
  const Fd fd = b.connect("gone");
  const std::string bytes = Bench::post("/v1/chat/completions", kChat);
  (void)!::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  b.run_until([&] { return s.got.size() == 1; });
  b.gateway().drop("gone");
  b.run_until([&] { return s.closed == 1; });
  CHECK(b.ledger.open.empty());
}

TEST_CASE("a client that does not read stops its provider, and gets all when it reads") {
  Bench b;
  // A script makes as much as is taken.
  std::string words;
  for (int i = 0; i < 20'000; ++i) words += "word ";
  std::ofstream(b.dir.path + "/s.yaml") << "turns: [{reply: \"" << words << "\"}]\n";
  b.providers("providers: [{name: s, wires: [scripted], models: [m], script: s.yaml}]\n");
  const Fd fd = b.connect();
  const int small = 4096;
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  const std::string bytes = Bench::post("/v1/chat/completions", R"({"model":"m","stream":true})");
  (void)!::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  int turns = 0;
  std::function<void()> turn = [&] {
    if (++turns < 50) (void)b.loop->after_ms(0, "test", turn);
  };
  turn();
  b.run_until([&] { return turns == 50; });
  CHECK(b.ledger.usages.empty());  // it waits for the client
  const Got got = b.ask_on(fd, "");
  CHECK(got.status == 200);
  CHECK(got.body.find("[DONE]") != std::string::npos);
  CHECK(b.ledger.usages.size() == 1);
}

TEST_CASE("64 requests at once never spend more than the cap") {
  Bench b;
  std::ofstream(b.dir.path + "/s.yaml")
      << "turns: [{reply: x, usage: {input: 100, cached_input: 0, output: 50}}]\n";
  b.providers(
      "providers: [{name: s, wires: [scripted], models: [m], script: s.yaml, "
      "prices: [{model: m, input: 1, output: 1, max_output: 1000}]}]\n");
  b.ledger.hard = 20'000;
  const std::string bytes = Bench::post("/v1/chat/completions", kChat);
  std::vector<Fd> clients;
  std::vector<std::string> answers(64);
  for (int i = 0; i < 64; ++i) {
    clients.push_back(b.connect());
    (void)!::send(clients.back().get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    (void)b.loop->watch(clients.back().get(), EPOLLIN, "test", [&, i](uint32_t) {
      char buffer[65536];
      const ssize_t n = recv(clients[static_cast<size_t>(i)].get(), buffer, sizeof buffer, 0);
      if (n > 0) answers[static_cast<size_t>(i)].append(buffer, static_cast<size_t>(n));
    });
  }
  const auto count = [&](const char* what) {
    size_t n = 0;
    for (const auto& a : answers) n += a.find(what) != std::string::npos ? 1U : 0U;
    return n;
  };
  b.run_until([&] { return count("HTTP/1.1 ") == 64; });
  for (const auto& fd : clients) b.loop->forget(fd.get());
  CHECK(b.ledger.most_reserved <= b.ledger.hard);
  CHECK(b.ledger.spent <= b.ledger.hard);
  CHECK(count("HTTP/1.1 402") > 0);
  CHECK(count("HTTP/1.1 200") > 0);
  CHECK(count("budget_exceeded") == count("HTTP/1.1 402"));
}

TEST_CASE("a soft cap goes on with the cheaper model and says so; money clamps the output") {
  Bench b;
  TestServer s(*b.loop, [](const http::Request&) {
    return std::vector<std::string>{json_answer(200, kUsage)};
  });
  b.providers(server_config(
                  s.port, "    prices: [{model: \"*\", input: 0, output: 1, max_output: 9000}]\n") +
              "downgrade: {m: mini}\n");
  b.ledger.soft = 0;
  const Got got = b.ask("/v1/chat/completions", kChat);
  CHECK(got.headers.find("x-codexos-model") == "mini");
  CHECK(got.headers.find("x-codexos-note") == "soft cap");
  CHECK(s.got[0].body.find(R"("model":"mini")") != std::string::npos);
  CHECK(b.ledger.charges.size() == 2);
  CHECK(b.ledger.charges[1].downgrade.empty());
  CHECK(b.ledger.open.empty());
  b.ledger.hard = b.ledger.spent + 2000;
  CHECK(b.ask("/v1/chat/completions", R"({"model":"mini","max_tokens":8000})").status == 200);
  CHECK(s.got[1].body == R"({"model":"mini","max_tokens":2000})");
}

TEST_CASE("a model without a price is refused unless its provider allows that") {
  Bench b;
  b.providers(
      "providers: [{name: s, wires: [openai], base_url: 'http://127.0.0.1:1', models: [m]}]");
  const Got got = b.ask("/v1/chat/completions", kChat);
  CHECK(got.status == 400);
  CHECK(got.body.find("unpriced_model") != std::string::npos);
}

TEST_CASE("a name that leads into a private network needs its mark") {
  Bench b;
  b.providers(
      "providers: [{name: s, wires: [openai], base_url: 'http://169.254.169.254', models: "
      "[m], unpriced: allow, retries: 0}]");
  const Got got = b.ask("/v1/chat/completions", kChat);
  CHECK(got.status == 502);
  CHECK(got.body.find("is cloud metadata") != std::string::npos);
  CHECK(b.ledger.usages.back().input == 0);
}

TEST_CASE("the record of a task with secrets has none of them, and stays JSON") {
  Bench b;
  auto known = std::make_shared<Redactor>();
  known->add("nsecret/value", 0);
  known->add("12345678901", 0);
  known->finish();
  TaskRedactor by = known;
  ModelLogs logs([&](const std::string& task) { return b.dir.path + "/" + task + ".redacted"; },
                 [&](const std::string&) { return by; });
  const std::string body =
      R"({"model":"m","n":12345678901,"user":"nsecret\/value","messages":[{"nsecret/value":1},)"
      R"("\\nsecret/value","plain \u006esecret/value"],"system":"bnNlY3JldC92YWx1ZQ"})";
  ExchangeRecord e;
  e.task = "t";
  e.asked_model = "nsecret/value";
  e.error = "no model nsecret/value";
  e.request = body;
  e.response = R"({"text":"nsecret/value"})";
  logs.record(e);
  e.request = "no JSON: nsecret/value";
  logs.record(e);
  by = nullptr;  // the vault is locked
  e.request = body;
  logs.record(e);
  const auto bytes = read_file(b.dir.path + "/t.redacted", 1 << 20);
  REQUIRE(bytes.ok());
  for (const char* text : {"nsecret", "12345678901", "bnNlY3JldC92YWx1ZQ"})
    CHECK(bytes->find(text) == std::string::npos);
  const auto log = read_model_log(*bytes);
  REQUIRE(log.ok());
  REQUIRE(log->size() == 3);
  const json::Value& first = (*log)[0].exchange["request"];
  CHECK(first["model"] == "m");
  CHECK(first["n"] == "***********");
  CHECK(first["messages"][1] == "\\*************");
  CHECK(first["messages"][2] == "plain *************");
  CHECK((*log)[0].exchange["error"] == "no model *************");
  CHECK((*log)[0].response == R"({"text":"*************"})");
  CHECK((*log)[2].exchange["request"]["withheld"] == kWithheld);
  CHECK((*log)[2].exchange["error"] == kWithheld);
  CHECK((*log)[2].response.empty());
}

TEST_CASE("the record keeps each message once and gives requests and answers back") {
  Bench b;
  std::ofstream(b.dir.path + "/s.yaml") << "turns: [{reply: hello}]\n";
  b.providers("providers: [{name: s, wires: [scripted], models: [m], script: s.yaml}]\n");
  std::string messages;
  const std::string long_text(1000, 'z');
  std::vector<std::string> bodies;
  for (int i = 0; i < 30; ++i) {
    messages += (i > 0 ? "," : "") + std::string(R"({"role":"user","content":")") +
                std::to_string(i) + long_text + "\"}";
    bodies.push_back(R"({"model":"m","messages":[)" + messages + R"(],"tools":[{"name":"x"}]})");
    CHECK(b.ask("/v1/messages", bodies.back()).status == 200);
  }
  const auto bytes = read_file(b.dir.path + "/t.log", 1 << 24);
  REQUIRE(bytes.ok());
  CHECK(bytes->size() < 30 * 6000);  // 30 messages of 1 KB and what refers to them, not 465
  const auto log = read_model_log(*bytes);
  REQUIRE(log.ok());
  REQUIRE(log->size() == 30);
  for (size_t i = 0; i < 30; ++i) CHECK((*log)[i].exchange["request"] == *json::parse(bodies[i]));
  CHECK((*log)[0].response.find("hello") != std::string::npos);
  CHECK((*log)[0].exchange["usage"]["input"] == 100);
  // What a crash left unfinished is no record; whoever goes on cuts it off.
  CHECK(read_model_log(bytes->substr(0, bytes->size() - 5))->size() == 29);
  std::string damaged = *bytes;
  damaged[damaged.find("0zzz") + 2] = 'q';
  CHECK_FALSE(read_model_log(damaged).ok());
  b.logs.close("t");
  std::ofstream(b.dir.path + "/t.log", std::ios::app) << "blob 00";
  CHECK(b.ask("/v1/messages", bodies[0]).status == 200);
  CHECK(read_model_log(*read_file(b.dir.path + "/t.log", 1 << 24))->size() == 31);
}
