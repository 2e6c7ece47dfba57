// SPDX-License-Identifier: Apache-2.0
#include "daemon/gateway/script.h"

#include <doctest/doctest.h>

#include "daemon/gateway/meter.h"

using namespace codexos;
using namespace codexos::daemon;

namespace {
constexpr char kScript[] = R"(
rules:
  - {match: {user: weather}, reply: It rains.}
  - {match: {regex: "^fail [0-9]+$"}, fault: {status: 429, retry_after: 1, times: 1}, reply: Now.}
turns:
  - {reply: I will look., run: ls -a}
  - reply: Done.
    usage: {input: 7, cached_input: 1, output: 3}
without_tools: a title
)";
Script the_script() {
  auto s = read_script(kScript, "script.yaml");
  REQUIRE_MESSAGE(s.ok(), (s.ok() ? "" : s.error().message));
  return *std::move(s);
}
std::string all_of(const ScriptedAnswer& a) {
  std::string out;
  for (const auto& p : a.pieces) out += p;
  return out;
}
ScriptedAnswer scripted(const Script& s, Endpoint e, const std::string& body,
                        ScriptCounts& counts) {
  const auto r = parse_model_request(e, body);
  REQUIRE(r.ok());
  return answer_by_script(s, *r, counts);
}
constexpr char kChatTools[] = R"("tools":[{"type":"function","function":{"name":"bash"}}])";
}  // namespace

TEST_CASE("the same reply in three formats, with the same usage, streamed or not") {
  const Script s = the_script();
  ScriptCounts n;
  struct Row {
    Endpoint endpoint;
    const char* tools;
    const char* said;
  };
  const Row rows[] = {
      {Endpoint::chat, kChatTools, R"("messages":[{"role":"user","content":"go"}])"},
      {Endpoint::messages, R"("tools":[{"name":"Bash"}])",
       R"("messages":[{"role":"user","content":[{"type":"text","text":"go"}]}])"},
      {Endpoint::responses, R"("tools":[{"type":"function","name":"exec_command"}])",
       R"("input":[{"role":"user","content":[{"type":"input_text","text":"go"}]}])"},
  };
  for (const auto& row : rows) {
    const std::string body = std::string(R"({"model":"m",)") + row.tools + "," + row.said;
    const auto whole = scripted(s, row.endpoint, body + "}", n);
    CHECK(all_of(whole).find("I will look.") != std::string::npos);
    CHECK(all_of(whole).find("ls -a") != std::string::npos);
    AnswerMeter one(row.endpoint, 1), two(row.endpoint, 1);
    one.take_whole(all_of(whole));
    const auto stream = scripted(
        s, row.endpoint, body + R"(,"stream":true,"stream_options":{"include_usage":true}})", n);
    CHECK(stream.content_type == "text/event-stream");
    two.feed(all_of(stream));
    for (const auto& u : {one.usage(), two.usage()}) {
      CHECK(u.input == 100);
      CHECK(u.cached_input == 20);
      CHECK(u.output == 10);
      CHECK_FALSE(u.estimated);
    }
    CHECK(two.complete());
  }
}

TEST_CASE("turns follow the conversation, rules the text, faults come so often") {
  const Script s = the_script();
  ScriptCounts n;
  const std::string second = std::string(R"({"model":"m",)") + kChatTools +
                             R"(,"messages":[{"role":"user","content":"go"},
      {"role":"assistant","content":"I","tool_calls":[{}]},{"role":"tool","content":"x"}]})";
  CHECK(all_of(scripted(s, Endpoint::chat, second, n)).find("Done.") != std::string::npos);
  CHECK(all_of(scripted(s, Endpoint::chat, R"({"model":"m"})", n)).find("a title") !=
        std::string::npos);
  const std::string weather =
      R"({"model":"m","messages":[{"role":"user","content":"the weather?"}]})";
  CHECK(all_of(scripted(s, Endpoint::chat, weather, n)).find("It rains.") != std::string::npos);
  const std::string fail = R"({"model":"m","input":"fail 12"})";
  const auto first = scripted(s, Endpoint::responses, fail, n);
  CHECK(first.status == 429);
  CHECK(*first.retry_after == 1);
  CHECK(scripted(s, Endpoint::responses, fail, n).status == 200);
}

TEST_CASE("embeddings as the official client asks for them") {
  ScriptCounts n;
  const auto a = scripted(the_script(), Endpoint::embeddings,
                          R"({"model":"m","input":["a","b"],"encoding_format":"base64"})", n);
  const auto v = json::parse(all_of(a));
  CHECK((*v)["data"].size() == 2);
  CHECK((*v)["data"][0]["embedding"].get<std::string>().size() == 44);
}

TEST_CASE("a wrong script is told with its line") {
  const auto s = read_script("turns:\n  - {reply: x}\n  - {fault: {slow: never}}\n", "s.yaml");
  REQUIRE_FALSE(s.ok());
  CHECK(s.error().message.find("s.yaml:3:") == 0);
  CHECK_FALSE(read_script("rules: [{match: {regex: '['}}]", "s").ok());
}
