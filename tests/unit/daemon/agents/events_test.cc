// SPDX-License-Identifier: Apache-2.0
// Lines that the real agents printed (shortened), what becomes of them, and how jobs are judged.
#include "daemon/agents/events.h"

#include <doctest/doctest.h>

#include <csignal>

#include "daemon/agents/parsers.h"

namespace codexos::daemon {
namespace {

using T = wire::EventType;

std::vector<wire::Event> feed(EventParser& p, const std::vector<std::string>& lines) {
  std::vector<wire::Event> out;
  for (const auto& line : lines) p.line(line, out);
  return out;
}
std::vector<T> types(const std::vector<wire::Event>& events) {
  std::vector<T> out;
  for (const auto& e : events) out.push_back(e.type);
  return out;
}
Outcome judged(const EventParser& p, int code, bool interrupted = false) {
  Outcome o;
  o.cause = Cause::exited;
  o.code = code;
  AgentEnd end;
  end.progress = &p.progress();
  end.interrupted = interrupted;
  return judge_agent(o, end);
}

const std::vector<std::string> kClaude = {
    R"({"type":"system","subtype":"init","cwd":"/w","session_id":"s-1","tools":["Bash"]})",
    R"({"type":"assistant","message":{"content":[{"type":"thinking","thinking":"hm"},{"type":"text","text":"I will."}]},"session_id":"s-1"})",
    R"({"type":"assistant","message":{"content":[{"type":"tool_use","id":"t0","name":"Bash","input":{"command":"ls"}}]},"session_id":"s-1"})",
    R"({"type":"user","message":{"role":"user","content":[{"tool_use_id":"t0","type":"tool_result","content":"a\nb","is_error":false}]},"session_id":"s-1"})",
    R"({"type":"assistant","message":{"content":[{"type":"tool_use","id":"t1","name":"Write","input":{"file_path":"/w/x","content":"y"}}]},"session_id":"s-1"})",
    R"({"type":"user","message":{"content":[{"tool_use_id":"t1","type":"tool_result","content":[{"type":"text","text":"ok"}]}]},"tool_use_result":{"type":"create","filePath":"/w/x"},"session_id":"s-1"})",
    R"({"type":"result","subtype":"success","is_error":false,"num_turns":3,"result":"All done.","stop_reason":"end_turn","session_id":"s-1","total_cost_usd":0.00198,"usage":{"input_tokens":240,"cache_creation_input_tokens":0,"cache_read_input_tokens":60,"output_tokens":30},"permission_denials":[]})"};

TEST_CASE("claude: text, reasoning, calls, results, files, tokens, cost") {
  const auto p = make_event_parser("claude");
  const auto events = feed(*p, kClaude);
  CHECK(types(events) == std::vector<T>{T::agent_reasoning, T::agent_text, T::agent_tool_call,
                                        T::agent_tool_result, T::agent_tool_call,
                                        T::agent_tool_result, T::agent_file_change, T::agent_usage,
                                        T::agent_cost});
  CHECK(*events[2].tool == "Bash");
  CHECK(*events[2].input == R"({"command":"ls"})");
  CHECK(*events[3].call == "t0");
  CHECK(*events[3].output == "a\nb");
  CHECK(*events[6].path == "/w/x");
  CHECK(*events[6].change == "add");
  CHECK(p->progress().session == "s-1");
  CHECK(events[7].tokens->input_tokens == 300);  // cached ones among them
  CHECK(events[7].tokens->cached_input_tokens == 60);
  CHECK(*events[8].tokens->cost_usd == doctest::Approx(0.00198));
  CHECK(judged(*p, 0).cause == Cause::exited);
  CHECK(exit_code_of(judged(*p, 0)) == 0);
}

TEST_CASE("claude: an error that is called a success is none") {
  const auto p = make_event_parser("claude");
  feed(
      *p,
      {R"({"type":"result","subtype":"success","is_error":true,"api_error_status":402,"result":"API Error: 402 no money","usage":{}})"});
  const Outcome o = judged(*p, 0);
  CHECK(o.cause == Cause::agent_failed);
  CHECK(exit_code_of(o) == 1);
  CHECK(o.detail == "the agent reported an error: API Error: 402 no money");
  CHECK(exit_code_of(judged(*p, 3)) == 3);  // its own code stays
}

TEST_CASE("claude: silence, an interrupt and refused calls are no success") {
  const auto silent = make_event_parser("claude");
  feed(*silent, {kClaude[0], kClaude[1]});
  CHECK(judged(*silent, 0).detail == "the agent left without a result");
  CHECK(exit_code_of(judged(*silent, 0)) == 1);
  CHECK(exit_code_of(judged(*silent, 0, true)) == 128 + SIGINT);

  const auto denied = make_event_parser("claude");
  feed(
      *denied,
      {kClaude[2],
       R"({"type":"result","subtype":"success","is_error":false,"result":"I could not.","usage":{},"permission_denials":[{"tool_name":"Bash"}]})"});
  CHECK(judged(*denied, 0).cause == Cause::agent_failed);
  CHECK(judged(*denied, 0).detail.find("all of the agent's 1 tool calls") != std::string::npos);

  const auto cut = make_event_parser("claude");
  feed(
      *cut,
      {R"({"type":"result","subtype":"success","is_error":false,"result":"","stop_reason":"tool_use","usage":{}})"});
  CHECK(judged(*cut, 0).cause == Cause::agent_failed);
}

TEST_CASE("claude: what it waits for is told") {
  const auto p = make_event_parser("claude");
  const auto events = feed(
      *p,
      {R"({"type":"system","subtype":"api_retry","attempt":2,"max_retries":10,"error_status":529,"error":"overloaded"})"});
  REQUIRE(types(events) == std::vector<T>{T::agent_limit});
  CHECK(*events[0].text == "the model's server does not answer (529), attempt 2 of 10");
}

const std::vector<std::string> kCodex = {
    R"({"type":"thread.started","thread_id":"th-1"})",
    R"({"type":"item.completed","item":{"id":"item_0","type":"error","message":"Model metadata not found."}})",
    R"({"type":"turn.started"})",
    R"({"type":"item.completed","item":{"id":"item_1","type":"agent_message","text":"I will."}})",
    R"({"type":"item.started","item":{"id":"item_2","type":"command_execution","command":"/bin/bash -lc ls","aggregated_output":"","exit_code":null,"status":"in_progress"}})",
    R"({"type":"item.completed","item":{"id":"item_2","type":"command_execution","command":"/bin/bash -lc ls","aggregated_output":"a\n","exit_code":2,"status":"failed"}})",
    R"({"type":"item.completed","item":{"id":"item_3","type":"file_change","changes":[{"path":"/w/x","kind":"add"}],"status":"completed"}})",
    R"({"type":"turn.completed","usage":{"input_tokens":300,"cached_input_tokens":60,"cache_write_input_tokens":0,"output_tokens":30,"reasoning_output_tokens":5}})"};

TEST_CASE("codex: messages, commands, files, tokens") {
  const auto p = make_event_parser("codex");
  const auto events = feed(*p, kCodex);
  CHECK(types(events) == std::vector<T>{T::agent_limit, T::agent_text, T::agent_tool_call,
                                        T::agent_tool_result, T::agent_file_change,
                                        T::agent_usage});
  CHECK(*events[2].tool == "exec");
  CHECK(*events[2].input == R"({"command":"/bin/bash -lc ls"})");
  CHECK(*events[3].failed);
  CHECK(*events[4].path == "/w/x");
  CHECK(p->progress().usage.input_tokens == 300);
  CHECK(p->progress().usage.reasoning_tokens == 5);
  CHECK(p->progress().session == "th-1");
  CHECK(exit_code_of(judged(*p, 0)) == 0);
}

TEST_CASE("codex: it tries again before it fails, and says so when it has") {
  const auto p = make_event_parser("codex");
  const auto events =
      feed(*p, {kCodex[0], R"({"type":"error","message":"Reconnecting... 1/5"})",
                R"({"type":"turn.failed","error":{"message":"stream disconnected"}})"});
  CHECK(types(events) == std::vector<T>{T::agent_limit, T::agent_error});
  CHECK(judged(*p, 1).cause == Cause::exited);
  CHECK(judged(*p, 1).detail == "the agent reported an error: stream disconnected");
  CHECK(judged(*p, 0).cause == Cause::agent_failed);
}

TEST_CASE("codex: declined commands are refusals") {
  const auto p = make_event_parser("codex");
  feed(
      *p,
      {R"({"type":"item.completed","item":{"id":"i","type":"command_execution","command":"rm x","aggregated_output":"","exit_code":null,"status":"declined"}})",
       kCodex[7]});
  CHECK(judged(*p, 0).cause == Cause::agent_failed);
}

const std::vector<std::string> kOpencode = {
    R"({"type":"step_start","sessionID":"ses_1","part":{"type":"step-start"}})",
    R"({"type":"text","sessionID":"ses_1","part":{"type":"text","text":"I will."}})",
    R"({"type":"tool_use","sessionID":"ses_1","part":{"type":"tool","tool":"bash","callID":"c0","state":{"status":"completed","input":{"command":"ls"},"output":"a\n","metadata":{"exit":0}}}})",
    R"({"type":"step_finish","sessionID":"ses_1","part":{"reason":"tool-calls","type":"step-finish","tokens":{"total":110,"input":80,"output":10,"reasoning":2,"cache":{"write":0,"read":20}},"cost":0.5}})",
    R"({"type":"step_start","sessionID":"ses_1","part":{"type":"step-start"}})",
    R"({"type":"step_finish","sessionID":"ses_1","part":{"reason":"stop","type":"step-finish","tokens":{"total":110,"input":80,"output":10,"reasoning":0,"cache":{"write":0,"read":20}},"cost":0.25}})"};

TEST_CASE("opencode: steps add up, and the one that calls no tool is the last") {
  const auto p = make_event_parser("opencode");
  auto events = feed(*p, {kOpencode.begin(), kOpencode.begin() + 4});
  CHECK(types(events) == std::vector<T>{T::agent_text, T::agent_tool_call, T::agent_tool_result,
                                        T::agent_usage, T::agent_cost});
  CHECK(judged(*p, 0).detail == "the agent left without a result");
  feed(*p, {kOpencode.begin() + 4, kOpencode.end()});
  CHECK(exit_code_of(judged(*p, 0)) == 0);
  CHECK(p->progress().usage.input_tokens == 200);
  CHECK(p->progress().usage.output_tokens == 22);
  CHECK(*p->progress().usage.cost_usd == doctest::Approx(0.75));
  CHECK(p->progress().session == "ses_1");
}

TEST_CASE("opencode: an error is one") {
  const auto p = make_event_parser("opencode");
  feed(
      *p,
      {R"({"type":"error","sessionID":"s","error":{"name":"APIError","data":{"message":"no money"}}})"});
  CHECK(judged(*p, 0).detail == "the agent reported an error: no money");
}

TEST_CASE("calls without results, and pieces of a message without end, take bounded memory") {
  OpenCalls open;
  for (int i = 0; i < 5000; ++i) open.put("c" + std::to_string(i), {"tool"});
  open.put(std::string(OpenCalls::kLongest + 1, 'x'), {"tool"});
  open.put("long", {std::string(OpenCalls::kLongest + 1, 'x')});
  CHECK(open.size() == OpenCalls::kMost);
  CHECK(!open.has("long"));
  CHECK(open.has("c999"));
  CHECK(open.take("c999")->text == "tool");
  CHECK(!open.take("c999"));

  const auto p = make_event_parser("gemini");
  const std::string piece(10000, 'a');
  std::vector<wire::Event> out;
  for (int i = 0; i < 20; ++i)
    p->line(R"({"type":"message","role":"assistant","delta":true,"content":")" + piece + "\"}",
            out);
  p->line(R"({"type":"result","status":"success"})", out);
  size_t said = 0;
  for (const auto& e : out)
    if (e.type == T::agent_text) said += e.text->size();
  CHECK(said == 20 * piece.size());
  CHECK(out.size() > 3);
}

TEST_CASE("gemini: pieces of a message are one") {
  const auto p = make_event_parser("gemini");
  const auto events = feed(
      *p,
      {R"({"type":"init","session_id":"g-1","model":"m"})",
       R"({"type":"message","role":"user","content":"do"})",
       R"({"type":"message","role":"assistant","content":"I ","delta":true})",
       R"({"type":"message","role":"assistant","content":"will.","delta":true})",
       R"({"type":"tool_use","tool_name":"run_shell_command","tool_id":"r1","parameters":{"command":"ls"}})",
       R"({"type":"tool_result","tool_id":"r1","status":"success","output":"a"})",
       R"({"type":"result","status":"success","stats":{"total_tokens":110,"input_tokens":100,"output_tokens":10,"cached":20}})"});
  CHECK(types(events) ==
        std::vector<T>{T::agent_text, T::agent_tool_call, T::agent_tool_result, T::agent_usage});
  CHECK(*events[0].text == "I will.");
  CHECK(exit_code_of(judged(*p, 0)) == 0);
}

TEST_CASE("text: every line is something that was said, and the exit code tells the rest") {
  const auto p = make_event_parser("");
  CHECK(types(feed(*p, {"hello", "", "{\"not\": \"ours\"}"})) ==
        std::vector<T>{T::agent_text, T::agent_text});
  CHECK(exit_code_of(judged(*p, 0)) == 0);
  CHECK(exit_code_of(judged(*p, 4)) == 4);
}

TEST_CASE("lines of any shape are survived, and what is no JSON was said") {
  for (const char* name : {"claude", "codex", "opencode", "gemini"}) {
    const auto p = make_event_parser(name);
    std::vector<wire::Event> out;
    for (const char* line :
         {"", "{", "{}", "[]", "null", "{\"type\":7}", R"({"type":"assistant","message":[]})",
          R"({"type":"user","message":{"content":{}}})", R"({"type":"result"})",
          R"({"type":"item.completed","item":7})", R"({"type":"item.started"})",
          R"({"type":"tool_use","part":[]})", R"({"type":"step_finish","part":{"tokens":[]}})",
          R"({"type":"turn.completed","usage":{"input_tokens":-5}})",
          R"({"type":"error","error":"x"})", "\xff\xfe"})
      p->line(line, out);
    out.clear();
    p->line("warning: something", out);
    REQUIRE(out.size() == 1);
    CHECK(*out[0].text == "warning: something");
  }
}

TEST_CASE("long texts are cut between characters, and say so") {
  const auto p = make_event_parser("codex");
  std::string text;
  for (int i = 0; i < 40000; ++i) text += "\xc3\xa4";
  const auto events = feed(
      *p, {R"({"type":"item.completed","item":{"type":"agent_message","text":")" + text + "\"}}"});
  REQUIRE(events.size() == 1);
  CHECK(events[0].text->size() < 66000);
  CHECK(events[0].text->find("more bytes]") != std::string::npos);
}

TEST_CASE("only an exit of its own is judged") {
  const auto p = make_event_parser("claude");
  AgentEnd end;
  end.progress = &p->progress();
  for (const Cause c : {Cause::stopped, Cause::time_limit, Cause::idle_limit, Cause::lost}) {
    Outcome o;
    o.cause = c;
    CHECK(judge_agent(o, end).cause == c);
  }
  const std::map<std::string, std::string> exits = {{"41", "it is not logged in"}};
  end.progress = nullptr;
  end.exits = &exits;
  Outcome o;
  o.cause = Cause::exited;
  o.code = 41;
  CHECK(judge_agent(o, end).detail == "exit code 41: it is not logged in");
}

}  // namespace
}  // namespace codexos::daemon
