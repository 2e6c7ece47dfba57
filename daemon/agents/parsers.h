// SPDX-License-Identifier: Apache-2.0
// One parser for each format of output, and how they reach into JSON that may have any shape.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "daemon/agents/events.h"

namespace codexos::daemon {

/// claude -p --output-format stream-json
std::unique_ptr<EventParser> make_claude_parser();
/// codex exec --json
std::unique_ptr<EventParser> make_codex_parser();
/// opencode run --format json
std::unique_ptr<EventParser> make_opencode_parser();
/// gemini --output-format stream-json
std::unique_ptr<EventParser> make_gemini_parser();

/// A member, or null when there is none or `v` is no object.
const json::Value& member(const json::Value& v, const char* name);
/// A member that is text; empty else.
std::string text_of(const json::Value& v, const char* name);
/// A member that is a number that is not negative; 0 else.
uint64_t count_of(const json::Value& v, const char* name);
bool flag_of(const json::Value& v, const char* name);

/// Calls whose result is not there yet, by their ids. What prints them is the task's: only so many
/// are remembered, and none with an id or text longer than any real one.
class OpenCalls {
 public:
  struct Call {
    std::string text;    // the tool; or the path of an edit
    bool whole = false;  // of an edit: the file was written as a whole
  };
  static constexpr size_t kMost = 1000;
  static constexpr size_t kLongest = 4096;

  void put(const std::string& id, Call call);
  bool has(const std::string& id) const { return calls_.count(id) != 0; }
  std::optional<Call> take(const std::string& id);
  size_t size() const { return calls_.size(); }

 private:
  std::map<std::string, Call> calls_;
};

}  // namespace codexos::daemon
