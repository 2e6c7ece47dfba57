// SPDX-License-Identifier: Apache-2.0
// What an agent says and does, for people: its words go to stdout, what it does to stderr, so that
// `x=$(codexos run -a AGENT "JOB")` holds the answer. Nothing that it prints reaches the terminal
// as a control sequence.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "cli/context.h"
#include "core/base/error.h"
#include "core/wire/event.h"

namespace codexos::cli {

/// How an event is shown; `to` 0: not at all. Pure.
struct AgentLine {
  int to = 0;  // 1: stdout, 2: stderr
  std::string text;
};
AgentLine agent_line(const wire::Event& e, bool color);
/// "300 tokens in (60 cached), 30 out, $0.0020".
std::string tokens_text(const wire::AgentUsage& u);

class AgentText {
 public:
  explicit AgentText(const Context& ctx);
  /// One line of the task's stream.
  Status line(std::string_view json);

 private:
  Status output(std::string_view json) const;

  bool quiet_, color_;
};

}  // namespace codexos::cli
