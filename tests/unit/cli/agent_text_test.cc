// SPDX-License-Identifier: Apache-2.0
// How an agent's events look to people, and that none of them can move the cursor.
#include "cli/agent_text.h"

#include <doctest/doctest.h>

namespace codexos::cli {
namespace {

wire::Event event(wire::EventType type) {
  wire::Event e;
  e.type = type;
  return e;
}

TEST_CASE("words go to stdout, line by line") {
  auto e = event(wire::EventType::agent_text);
  e.text = "one\ntwo";
  CHECK(agent_line(e, true).to == 1);
  CHECK(agent_line(e, true).text == "one\ntwo\n");
}

TEST_CASE("a call is shown by the argument that says most") {
  auto e = event(wire::EventType::agent_tool_call);
  e.tool = "Bash";
  e.input = R"({"description":"look","command":"ls -l\nrm x"})";
  CHECK(agent_line(e, false).to == 2);
  CHECK(agent_line(e, false).text == "> Bash: ls -l ...\n");
  e.input = R"({"todos":[1]})";
  CHECK(agent_line(e, false).text == "> Bash: {\"todos\":[1]}\n");
  e.input = "{}";
  CHECK(agent_line(e, false).text == "> Bash\n");
}

TEST_CASE("of results only failures are shown") {
  auto e = event(wire::EventType::agent_tool_result);
  e.output = "no such file\nand more";
  e.failed = false;
  CHECK(agent_line(e, false).to == 0);
  e.failed = true;
  CHECK(agent_line(e, false).text == "  failed: no such file ...\n");
}

TEST_CASE("what an agent prints is no control sequence for the terminal") {
  for (const auto type : {wire::EventType::agent_text, wire::EventType::agent_error,
                          wire::EventType::agent_limit, wire::EventType::agent_reasoning}) {
    auto e = event(type);
    e.text = "a\x1b[2Jb\r\x07";
    const std::string shown = agent_line(e, false).text;
    for (const char c : shown) CHECK((c == '\n' || static_cast<unsigned char>(c) >= 0x20));
  }
  auto e = event(wire::EventType::agent_tool_call);
  e.tool = "x\x1b[2J";
  e.input = R"({"command":"\u001b[2J"})";
  CHECK(agent_line(e, false).text.find('\x1b') == std::string::npos);
}

TEST_CASE("the sum at the end") {
  wire::AgentUsage u;
  u.input_tokens = 300;
  u.cached_input_tokens = 60;
  u.output_tokens = 30;
  CHECK(tokens_text(u) == "300 tokens in (60 cached), 30 out");
  u.cached_input_tokens = 0;
  u.cost_usd = 0.00198;
  CHECK(tokens_text(u) == "300 tokens in, 30 out, $0.0020");
  CHECK(agent_line(event(wire::EventType::task_ended), false).to == 0);
}

}  // namespace
}  // namespace codexos::cli
