// SPDX-License-Identifier: Apache-2.0
#include "daemon/gateway/own_way.h"

#include <doctest/doctest.h>

using namespace codexos;
using namespace codexos::daemon;

namespace {

OwnRequest own_request(std::string target, Credential credential = Credential::key,
                       std::string host = "api.anthropic.com", std::string method = "POST") {
  OwnRequest r;
  r.task = "task-1";
  r.host = std::move(host);
  r.port = 443;
  r.method = std::move(method);
  r.target = std::move(target);
  r.credential = credential;
  return r;
}

/// "messages anthropic", "uncountable anthropic", "free".
std::string route_text(const OwnRequest& r) {
  static const Providers all = *built_in_providers();
  const auto found = find_own_route(all, r);
  if (!found) return "free";
  return std::string(found->endpoint ? name_of(*found->endpoint) : "uncountable") + " " +
         found->name;
}

struct OwnLedger final : Ledger {
  void reserve(const Charge& c, Done done) override {
    charges.push_back(c);
    pending = std::move(done);
  }
  void settle(uint64_t id, const ModelUsage& u) override {
    settled.push_back(id);
    usages.push_back(u);
  }
  void grant(uint64_t output) {
    Grant g;
    g.id = charges.size();
    g.max_output_tokens = output;
    g.bounded = bounded;
    pending(g);
  }
  bool bounded = false;
  std::vector<Charge> charges;
  std::vector<uint64_t> settled;
  std::vector<ModelUsage> usages;
  Done pending;
};
struct OwnRecorder final : Recorder {
  void record(const ExchangeRecord& r) override {
    text += r.endpoint + " " + r.provider + "/" + r.model + " " + std::to_string(r.status) +
            (r.response_cut ? " cut" : "") + " " + r.error + "|";
    request = r.request;
    response = r.response;
  }
  void close(const std::string&) override {}
  std::string text, request, response;
};

struct OwnSetup {
  OwnLedger ledger;
  OwnRecorder recorder;
  int woken = 0;
  OwnWay way{ledger, &recorder, []() -> Result<ProvidersPtr> {
               CODEXOS_ASSIGN(Providers all, load_providers("/nonexistent"));
               return std::make_shared<const Providers>(std::move(all));
             }};
  std::unique_ptr<MeteredCall> ask(const OwnRequest& r, const std::string& body) {
    auto call = *way.begin(r);
    REQUIRE(call);
    call->ask(body, [this] { ++woken; });
    return call;
  }
};
const std::string kMessages =
    R"({"model":"claude-haiku-4-5","max_tokens":4000,"messages":[{"role":"user","content":"hi"}]})";

}  // namespace

TEST_CASE("which requests use a model on a way of their own") {
  CHECK(route_text(own_request("/v1/messages?beta=true")) == "messages anthropic");
  CHECK(route_text(own_request("/v1/messages/count_tokens")) == "count_tokens anthropic");
  CHECK(route_text(own_request("https://api.anthropic.com/v1/messages")) == "messages anthropic");
  CHECK(route_text(own_request("/v1/messages/batches")) == "uncountable anthropic");
  CHECK(route_text(own_request("/v1/messages", Credential::key, "api.anthropic.com", "GET")) ==
        "free");
  CHECK(route_text(own_request("/api/event_logging/batch")) == "free");
  CHECK(route_text(own_request("/x")) == "uncountable anthropic");
  CHECK(route_text(own_request("/v1beta/models/g:generateContent", Credential::key, "g.test")) ==
        "uncountable g.test");
  CHECK(route_text(own_request("/backend-api/codex/responses", Credential::subscription,
                               "chatgpt.com")) == "responses chatgpt.com");
  CHECK(route_text(own_request("/backend-api/codex/responses/compact", Credential::subscription,
                               "chatgpt.com")) == "uncountable chatgpt.com");
  CHECK(route_text(own_request("/api/v1/chat/completions", Credential::key, "openrouter.ai")) ==
        "chat openrouter.ai");
  SUBCASE("an upgrade") {
    OwnRequest r = own_request("/v1/responses", Credential::subscription, "chatgpt.com", "GET");
    CHECK(route_text(r) == "free");
    r.upgrade = true;
    CHECK(route_text(r) == "uncountable chatgpt.com");
    r.credential = Credential::secret;
    CHECK(route_text(r) == "free");
  }
  SUBCASE("a secret of another kind, only at providers") {
    CHECK(route_text(own_request("/v1/responses", Credential::secret, "api.openai.com")) ==
          "responses openai");
    CHECK(route_text(own_request("/v1/messages", Credential::secret, "chat.example.org")) ==
          "free");
  }
  CHECK(route_text(own_request("/V1/messages")) == "messages anthropic");
  SUBCASE("what may be read as another path") {
    for (const char* path :
         {"/v1//messages", "/v1/./messages", "/v1/x/../messages", "/v1/%6dessages",
          "/v1/messages;x", "/v1\\messages", "/v1/Messages", "/v1/images/generations"})
      CHECK_MESSAGE(route_text(own_request(path)) == "uncountable anthropic", path);
  }
}

TEST_CASE("a request on its own way: leave, count, settlement") {
  OwnSetup s;
  auto call = s.ask(own_request("/v1/messages"), kMessages);
  CHECK_FALSE(call->take_leave());
  REQUIRE(s.ledger.charges.size() == 1);
  const Charge& c = s.ledger.charges[0];
  CHECK(c.task + " " + c.provider + " " + c.model == "task-1 anthropic claude-haiku-4-5");
  CHECK(c.max_output_tokens == 4000);
  CHECK(c.priced);
  CHECK(c.max_cost_micros > 0);

  SUBCASE("granted whole: the same bytes, and what was said counts") {
    s.ledger.grant(c.max_output_tokens);
    CHECK(s.woken == 1);
    const auto leave = call->take_leave();
    REQUIRE(leave);
    CHECK(leave->granted);
    CHECK(leave->body == kMessages);
    call->on_head(200, "application/json");
    call->on_body(R"({"usage":{"input_tokens":7,)");
    call->on_body(R"("cache_read_input_tokens":3,"output_tokens":5}})");
    call->on_end();
    REQUIRE(s.ledger.usages.size() == 1);
    CHECK(s.ledger.usages[0].input == 10);
    CHECK(s.ledger.usages[0].output == 5);
    CHECK(s.ledger.usages[0].cost_micros > 0);
    CHECK_FALSE(s.ledger.usages[0].estimated);
    CHECK(s.recorder.text == "messages anthropic/claude-haiku-4-5 200 |");
    call.reset();
    CHECK(s.ledger.usages.size() == 1);
  }
  SUBCASE("granted in part: clamped") {
    s.ledger.grant(2000);
    const auto leave = call->take_leave();
    REQUIRE(leave);
    CHECK(leave->body.find("\"max_tokens\":2000") != std::string::npos);
  }
  SUBCASE("a stream that breaks off counts as far as it came") {
    s.ledger.grant(4000);
    (void)call->take_leave();
    call->on_head(200, "text/event-stream; charset=utf-8");
    call->on_body(
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":"
        "{\"input_tokens\":9,\"output_tokens\":1}}}\n\n");
    call.reset();
    REQUIRE(s.ledger.usages.size() == 1);
    CHECK(s.ledger.usages[0].input == 9);
    CHECK(s.ledger.usages[0].estimated);
    CHECK(s.recorder.text == "messages anthropic/claude-haiku-4-5 200 cut the connection ended|");
  }
  SUBCASE("where a budget applies, what was not told is all that was reserved") {
    s.ledger.bounded = true;
    s.ledger.grant(4000);
    (void)call->take_leave();
    call->on_head(200, "text/event-stream");
    call->on_body("data: {\"type\":\"content_block_delta\"}\n\n");
    SUBCASE("the client left") { call.reset(); }
    SUBCASE("the provider says nothing at all") { call->on_end(); }
    CHECK(s.ledger.usages.at(0).output == 4000);
    CHECK(s.ledger.usages.at(0).input == s.ledger.charges[0].max_input_tokens);
  }
  SUBCASE("the input is told first, and is known then") {
    s.ledger.bounded = true;
    s.ledger.grant(4000);
    (void)call->take_leave();
    call->on_head(200, "text/event-stream");
    call->on_body(
        "data: {\"type\":\"message_start\",\"message\":{\"usage\":"
        "{\"input_tokens\":9,\"output_tokens\":1}}}\n\n");
    call.reset();
    CHECK(s.ledger.usages.at(0).input == 9);
    CHECK(s.ledger.usages.at(0).output == 4000);
  }
  SUBCASE("the provider breaks it off: what is known") {
    s.ledger.bounded = true;
    s.ledger.grant(4000);
    (void)call->take_leave();
    call->on_head(200, "text/event-stream");
    call->on_cut();
    CHECK(s.ledger.usages.at(0).output < 4000);
  }
  SUBCASE("an error of the provider costs nothing") {
    s.ledger.grant(4000);
    (void)call->take_leave();
    call->on_head(529, "application/json");
    call->on_end();
    CHECK(s.ledger.usages.at(0).input == 0);
    CHECK(s.ledger.usages.at(0).status == 529);
  }
  SUBCASE("refused: the answer in its wire") {
    s.ledger.pending(Error{Code::exhausted, "the budget is 10 tokens", {}});
    const auto leave = call->take_leave();
    REQUIRE(leave);
    CHECK_FALSE(leave->granted);
    CHECK(leave->answer.status == 402);
    CHECK(leave->answer.body.find("\"type\":\"error\"") != std::string::npos);
    CHECK(leave->answer.body.find("the budget is 10 tokens") != std::string::npos);
    call.reset();
    CHECK(s.ledger.usages.empty());
  }
  SUBCASE("who goes away before leave gives all back") {
    auto pending = s.ledger.pending;
    call.reset();
    Grant g;
    g.id = 7;
    pending(g);
    CHECK(s.ledger.settled == std::vector<uint64_t>{7});
    CHECK(s.ledger.usages.at(0).input == 0);
  }
  SUBCASE("who goes away before it was sent, too") {
    s.ledger.grant(4000);
    call.reset();
    CHECK(s.ledger.usages.at(0).input == 0);
    CHECK(s.recorder.text.empty());
  }
  SUBCASE("who goes away behind it has used its input") {
    s.ledger.grant(4000);
    (void)call->take_leave();
    call.reset();
    CHECK(s.ledger.usages.at(0).input == estimate_tokens(kMessages.size()));
  }
}

TEST_CASE("a request of which only the head came is nothing") {
  OwnSetup s;
  (void)*s.way.begin(own_request("/v1/messages"));
  CHECK(s.ledger.charges.empty());
  CHECK(s.recorder.text.empty());
  CHECK_FALSE(*s.way.begin(own_request("/api/oauth/profile")));
}

TEST_CASE("a subscription: no price, and its own endpoint is not clamped") {
  OwnSetup s;
  auto call = s.ask(own_request("/v1/messages", Credential::subscription), kMessages);
  CHECK(s.ledger.charges.at(0).priced);
  CHECK(s.ledger.charges.at(0).max_cost_micros == 0);
  CHECK(s.ledger.charges.at(0).least_output_tokens < 4000);
  s.ledger.grant(4000);
  (void)call->take_leave();
  call->on_head(200, "application/json");
  call->on_body(R"({"usage":{"input_tokens":7,"output_tokens":5}})");
  call->on_end();
  CHECK(s.ledger.usages.at(0).cost_micros == 0);

  const std::string body = R"({"model":"gpt-5","stream":true,"input":[]})";
  call = s.ask(own_request("/backend-api/codex/responses", Credential::subscription, "chatgpt.com"),
               body);
  const Charge& c = s.ledger.charges.at(1);
  CHECK(c.least_output_tokens == c.max_output_tokens);
  CHECK(c.max_output_tokens > 0);
  s.ledger.grant(c.max_output_tokens);
  CHECK(call->take_leave()->body == body);
}

TEST_CASE("what cannot be read, and what cannot be counted") {
  OwnSetup s;
  OwnRequest zipped = own_request("/v1/messages");
  zipped.encoding = "zstd";
  auto call = s.ask(zipped, "\x28\xb5\x2f\xfd");
  CHECK_FALSE(s.ledger.charges.at(0).priced);
  CHECK_FALSE(s.ledger.charges.at(0).countable);
  s.ledger.grant(s.ledger.charges.at(0).max_output_tokens);
  CHECK(call->take_leave()->body == "\x28\xb5\x2f\xfd");
  call->on_head(200, "application/json");
  call->on_body(R"({"usage":{"input_tokens":7,"output_tokens":5}})");
  call->on_end();
  CHECK(s.ledger.usages.at(0).input + s.ledger.usages.at(0).output == 12);

  call = s.ask(own_request("/v1/images/generations"), "{}");
  CHECK_FALSE(s.ledger.charges.at(1).countable);
  CHECK(s.ledger.charges.at(1).model == "/v1/images/generations");
  s.ledger.grant(0);
  (void)call->take_leave();
  call->on_head(200, "application/json");
  call->on_end();
  CHECK(s.ledger.usages.at(1).counts);  // as a request
  for (const char* body :
       {R"({"model":"m","input":"x","background":true})", R"({"model":"m","MODEL":"n","input":1})",
        R"({"model":"m","n":128.0})", R"({"model":"m","model":"n"})"}) {
    call = s.ask(
        own_request(body[12] == ',' && body[13] == '"' && body[14] == 'n' ? "/v1/chat/completions"
                                                                          : "/v1/responses",
                    Credential::key, "api.openai.com"),
        body);
    CHECK_MESSAGE(!s.ledger.charges.back().countable, body);
  }
}
