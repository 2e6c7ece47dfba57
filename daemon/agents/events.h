// SPDX-License-Identifier: Apache-2.0
// From what an agent prints, a line of JSON at a time, to our events; and from both and the exit
// of its program to how the job ended. Agents report errors as successes, leave without a result,
// and exit with 0 when they were interrupted or when every call was denied: a job counts as done
// only when the agent said so. Knows no task and no store.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/outcome.h"
#include "core/json/json.h"
#include "core/wire/event.h"

namespace codexos::daemon {

/// What a parser has understood so far.
struct AgentProgress {
  std::string session;
  wire::AgentUsage usage;
  bool counted = false;   // usage was told
  bool finished = false;  // it said that the job is done, or has failed
  std::string error;      // why it failed, in its words
  uint64_t calls = 0;     // tool calls
  uint64_t denied = 0;    // those that its own rules refused
};

class EventParser {
 public:
  virtual ~EventParser() = default;
  /// A whole line, without its end. What is no JSON object is something that it said.
  void line(std::string_view text, std::vector<wire::Event>& out);
  const AgentProgress& progress() const { return p_; }

 protected:
  using Value = json::Value;
  virtual void object(const Value& v) = 0;
  wire::Event& add(wire::EventType type);
  void say(wire::EventType type, const std::string& text);
  void call(const std::string& tool, const std::string& id, const Value& input);
  void result(const std::string& tool, const std::string& id, const std::string& output,
              bool failed);
  void file(const std::string& path, const std::string& change);
  void usage();  // tells p_.usage
  void error(const std::string& text);

  AgentProgress p_;

 private:
  std::vector<wire::Event>* out_ = nullptr;
};

/// Of an unknown kind it is text: every line is something that the agent said.
std::unique_ptr<EventParser> make_event_parser(const std::string& name);

/// How the job ended, where its program's own end does not tell. `exits`: Preset::exits.
struct AgentEnd {
  const AgentProgress* progress = nullptr;  // null: its output was not read
  bool interrupted = false;                 // its owner sent SIGINT
  const std::map<std::string, std::string>* exits = nullptr;
};
Outcome judge_agent(Outcome outcome, const AgentEnd& end);

}  // namespace codexos::daemon
