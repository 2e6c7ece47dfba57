// SPDX-License-Identifier: Apache-2.0
// The life of a task as a table: queued -> starting -> running <-> paused -> stopping -> an end.
// Pure: who calls it writes the store. The end's own state comes from core/base/outcome.h.
#pragma once

#include "core/base/error.h"
#include "core/base/outcome.h"

namespace codexos::daemon {

enum class TaskInput : int { begin, started, pause, resume, stop };
constexpr auto enum_names(TaskInput) {
  return std::array{EnumName{TaskInput::begin, "begin"}, EnumName{TaskInput::started, "started"},
                    EnumName{TaskInput::pause, "pause"}, EnumName{TaskInput::resume, "resume"},
                    EnumName{TaskInput::stop, "stop"}};
}

/// The state after `input`. Error conflict: it cannot happen in this state.
Result<TaskState> next_state(TaskState from, TaskInput input);
/// What an ended task is in; every state that is not terminal can end. Error conflict: it has
/// ended.
Result<TaskState> end_state(TaskState from, const Outcome& outcome);

}  // namespace codexos::daemon
