// SPDX-License-Identifier: Apache-2.0
#include "daemon/gateway/wires.h"

#include <doctest/doctest.h>

#include "daemon/gateway/meter.h"

using namespace codexos;
using namespace codexos::daemon;

namespace {
ModelRequest model_request(Endpoint e, std::string_view body) {
  auto r = parse_model_request(e, body);
  REQUIRE_MESSAGE(r.ok(), (r.ok() ? "" : r.error().message));
  return *std::move(r);
}
std::string edited(Endpoint e, std::string_view body, const RequestEdits& edits) {
  return edit_request(model_request(e, body), body, edits);
}
std::string counts(const ModelUsage& u) {
  return std::to_string(u.input) + " " + std::to_string(u.cached_input) + " " +
         std::to_string(u.cache_write) + " " + std::to_string(u.output) + " " +
         std::to_string(u.reasoning) + (u.estimated ? " estimated" : "");
}
ModelUsage metered(Endpoint e, std::string_view stream) {
  AnswerMeter m(e, 400);
  for (const char c : stream) m.feed({&c, 1});
  return m.usage();
}
}  // namespace

TEST_CASE("paths are found with and without /v1") {
  CHECK(find_route("/v1/chat/completions")->endpoint == Endpoint::chat);
  CHECK(find_route("/chat/completions")->target == "/chat/completions");
  CHECK(find_route("/v1/messages")->dialect == Dialect::anthropic);
  CHECK(find_route("/v1/messages/count_tokens")->endpoint == Endpoint::count_tokens);
  CHECK(find_route("/v1/models/gpt-4o")->target == "gpt-4o");
  CHECK(find_route("/")->endpoint == Endpoint::hello);
  CHECK_FALSE(find_route("/v1/files"));
  CHECK_FALSE(find_route("/v2/messages"));
}

TEST_CASE("of a request is read what routing and budgets need") {
  const auto r = model_request(Endpoint::chat, R"({"model":"m","stream":true,"n":3,
      "max_tokens":50,"max_completion_tokens":40,"unknown":{"x":[1]}})");
  CHECK(r.model == "m");
  CHECK(r.stream);
  CHECK(r.choices == 3);
  CHECK(*r.max_output == 50);
  CHECK_FALSE(r.wide_input);
  const auto thinking = model_request(
      Endpoint::messages, R"({"model":"m","thinking":{"type":"enabled","budget_tokens":2000}})");
  CHECK(thinking.least_output == 2001);
  for (const char* bad : {"", "[]", "{}", R"({"model":1})", R"({"model":"m","stream":1})",
                          R"({"model":"m","max_tokens":-1})", R"({"model":"m","model":"n"})"})
    CHECK_FALSE(parse_model_request(Endpoint::chat, bad).ok());
}

TEST_CASE("content that its bytes do not bound makes the context the bound") {
  const auto wide = [](Endpoint e, const char* body) { return model_request(e, body).wide_input; };
  CHECK_FALSE(wide(Endpoint::messages, R"({"model":"m","messages":[{"role":"user","content":[
      {"type":"text","text":"a"},{"type":"tool_result","content":[{"type":"text","text":"b"}]}]}]})"));
  CHECK(wide(Endpoint::messages, R"({"model":"m","messages":[{"role":"user","content":[
      {"type":"tool_result","content":[{"type":"image","source":{}}]}]}]})"));
  CHECK(wide(Endpoint::chat, R"({"model":"m","messages":[{"role":"user","content":[
      {"type":"image_url","image_url":{"url":"https://x"}}]}]})"));
  CHECK(wide(Endpoint::responses, R"({"model":"m","previous_response_id":"r"})"));
  CHECK(wide(Endpoint::responses, R"({"model":"m","input":[{"type":"item_reference","id":"x"}]})"));
  CHECK_FALSE(wide(Endpoint::responses, R"({"model":"m","previous_response_id":null,"input":[
      {"type":"function_call","name":"x","arguments":"{}","call_id":"1"},
      {"type":"function_call_output","call_id":"1","output":"y"}]})"));
  auto r = model_request(Endpoint::chat, R"({"model":"m"})");
  CHECK(input_bound(r, 10, 200) == 10 + kHiddenTokens);
  r.wide_input = true;
  CHECK(input_bound(r, 10, 200000) == 200000);
}

TEST_CASE("a request that needs no change keeps its bytes") {
  const std::string_view body = R"({ "model":"m" , "max_tokens" : 10, "x": 1.50, "y": 1e3 })";
  CHECK(edited(Endpoint::messages, body, {"m", 100, false}) == body);
  const std::string_view chat = R"({"model":"m","max_tokens":5,"stream":false, "z" : null})";
  CHECK(edited(Endpoint::chat, chat, {"", 5, false}) == chat);
}

TEST_CASE("limits are clamped, inserted, and streams asked for usage") {
  CHECK(edited(Endpoint::messages, R"({"model":"m","max_tokens":32000,"u":[1]})",
               {"", 100, false}) == R"({"model":"m","max_tokens":100,"u":[1]})");
  CHECK(edited(Endpoint::chat, R"({"model":"m"})", {"n", 7, false}) ==
        R"({"model":"n","max_completion_tokens":7})");
  CHECK(edited(Endpoint::chat, R"({"model":"m"})", {"", 7, true}) ==
        R"({"model":"m","max_tokens":7})");
  CHECK(edited(Endpoint::responses, R"({"model":"m"})", {"", 7, true}) ==
        R"({"model":"m","max_output_tokens":7})");
  CHECK(edited(Endpoint::chat, R"({"model":"m","stream":true})", {}) ==
        R"({"model":"m","stream":true,"stream_options":{"include_usage":true}})");
  const std::string_view asked =
      R"({"model":"m","stream":true,"stream_options":{"include_usage":true,"other":1}})";
  CHECK(edited(Endpoint::chat, asked, {}) == asked);
}

TEST_CASE("both ways of counting cached tokens become one") {
  const auto usage = [](Endpoint e, const char* text) {
    return counts(read_usage(e, *json::parse(text)).value_or(ModelUsage{}));
  };
  CHECK(usage(Endpoint::chat, R"({"usage":{"prompt_tokens":100,"completion_tokens":10,
      "prompt_tokens_details":{"cached_tokens":20},
      "completion_tokens_details":{"reasoning_tokens":4}}})") == "100 20 0 10 4");
  CHECK(usage(Endpoint::responses, R"({"usage":{"input_tokens":100,"output_tokens":10,
      "input_tokens_details":{"cached_tokens":20}}})") == "100 20 0 10 0");
  CHECK(usage(Endpoint::messages, R"({"usage":{"input_tokens":50,"cache_read_input_tokens":20,
      "cache_creation_input_tokens":30,"output_tokens":10,
      "cache_creation":{"ephemeral_1h_input_tokens":5}}})") == "100 20 30 10 0");
  CHECK_FALSE(read_usage(Endpoint::chat, *json::parse(R"({"choices":[]})")));
}

TEST_CASE("usage of streams, byte by byte") {
  CHECK(counts(metered(Endpoint::messages,
                       "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{"
                       "\"usage\":{\"input_tokens\":80,\"cache_read_input_tokens\":20,"
                       "\"output_tokens\":1}}}\n\n"
                       "data: {\"type\":\"content_block_delta\",\"delta\":{\"text\":\"hello\"}}\n\n"
                       "data: {\"type\":\"message_delta\",\"usage\":{\"output_tokens\":10}}\n\n"
                       "data: {\"type\":\"message_stop\"}\n\n")) == "100 20 0 10 0");
  CHECK(counts(metered(Endpoint::chat,
                       "data: {\"choices\":[{\"delta\":{\"content\":\"hi\"}}]}\n\n"
                       "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,"
                       "\"completion_tokens\":3}}\n\ndata: [DONE]\n\n")) == "9 0 0 3 0");
  CHECK(counts(metered(Endpoint::responses,
                       "event: response.completed\ndata: {\"type\":\"response.completed\","
                       "\"response\":{\"usage\":{\"input_tokens\":7,\"output_tokens\":2}}}\n\n")) ==
        "7 0 0 2 0");
}

TEST_CASE("what a server does not tell is estimated and marked") {
  CHECK(counts(metered(Endpoint::chat,
                       "data: {\"choices\":[{\"delta\":{\"content\":\"12345678\"}}]}\n\n"
                       "data: [DONE]\n\n")) == "100 0 0 2 0 estimated");
  // Cut off after the input was told.
  CHECK(counts(metered(Endpoint::messages,
                       "data: {\"type\":\"message_start\",\"message\":{\"usage\":{"
                       "\"input_tokens\":80,\"output_tokens\":1}}}\n\n"
                       "data: {\"delta\":{\"text\":\"123456789012\"}}\n\n")) ==
        "80 0 0 3 0 estimated");
}

TEST_CASE("errors are told in the caller's format") {
  const auto openai = api_error(Dialect::openai, ApiProblem::budget, "used \"up\"");
  CHECK(openai.status == 402);
  CHECK(openai.body == R"({"error":{"message":"used \"up\"","type":"insufficient_quota",)"
                       R"("param":null,"code":"budget_exceeded"}})");
  const auto anthropic = api_error(Dialect::anthropic, ApiProblem::budget, "m");
  CHECK(anthropic.body == R"({"type":"error","error":{"type":"billing_error","message":"m"}})");
  CHECK(api_error(Dialect::openai, ApiProblem::unknown_path, "").status == 404);
  CHECK(api_error(Dialect::openai, ApiProblem::too_large, "").status == 413);
}
