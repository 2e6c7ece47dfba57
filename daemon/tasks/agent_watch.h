// SPDX-License-Identifier: Apache-2.0
// Reads what an agent prints, from the task's log as it grows, and makes events of it. It can be
// made anew at any time: lines whose events are stored already are read again for what they tell
// about the whole, and give no events.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/wire/event.h"
#include "daemon/agents/events.h"
#include "daemon/tasks/logs.h"

namespace codexos::daemon {

class AgentWatch {
 public:
  /// `stored`: where in stdout the last line ends whose events are stored.
  AgentWatch(TaskPaths paths, const std::string& task, std::unique_ptr<EventParser> parser,
             uint64_t stored)
      : log_(std::move(paths), task), parser_(std::move(parser)), stored_(stored) {}

  /// What whole lines say that came since; with `final` the rest is a line too. Type, text and
  /// offset are set.
  std::vector<wire::Event> read(bool final);
  const AgentProgress& progress() const { return parser_->progress(); }

 private:
  void take(const std::string& bytes, uint64_t at, std::vector<wire::Event>& out);
  void end_line(uint64_t end, std::vector<wire::Event>& out);

  LogReader log_;
  std::unique_ptr<EventParser> parser_;
  uint64_t stored_;
  std::string line_;  // the last one, as far as it is there
  bool too_long_ = false;
  uint64_t end_ = 0;
};

}  // namespace codexos::daemon
