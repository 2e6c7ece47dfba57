// SPDX-License-Identifier: Apache-2.0
// What agents print (daemon/agents), a line at a time, by each parser. Events can be written and
// read again, hold no more than a bounded text, and the job's end can be judged whatever was said.
#include "daemon/agents/events.h"
#include "tests/fuzz/fuzz.h"

using namespace codexos;
using namespace codexos::daemon;

namespace {

constexpr size_t kMaxText = (64 << 10) + 64;

void check_event(const wire::Event& e) {
  for (const auto& text : {e.text, e.input, e.output})
    CODEXOS_CHECK(!text || text->size() <= kMaxText);
  const std::string line = json::encode(e);
  const auto again = json::decode<wire::Event>(line, json::Unknown::refuse);
  CODEXOS_CHECK(again.ok());
  CODEXOS_CHECK(json::encode(*again) == line);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input in(data, size);
  const char* name = in.PickValueInArray({"claude", "codex", "opencode", "gemini", "text"});
  AgentEnd end;
  end.interrupted = in.ConsumeBool();
  Outcome outcome;
  outcome.cause = Cause::exited;
  outcome.code = in.ConsumeBool() ? 1 : 0;
  const std::string text = in.ConsumeRemainingBytesAsString();
  const auto parser = make_event_parser(name);
  std::string_view rest(text);
  while (!rest.empty()) {
    const size_t newline = std::min(rest.find('\n'), rest.size());
    std::vector<wire::Event> events;
    parser->line(rest.substr(0, newline), events);
    for (const auto& e : events) check_event(e);
    rest.remove_prefix(std::min(newline + 1, rest.size()));
  }
  end.progress = &parser->progress();
  const Outcome judged = judge_agent(outcome, end);
  CODEXOS_CHECK(outcome.code == 0 || judged.cause != Cause::agent_failed);
  return 0;
}
