// SPDX-License-Identifier: Apache-2.0
#include "daemon/tasks/task_state.h"

#include <array>

namespace codexos::daemon {
namespace {

struct Row {
  TaskState from;
  TaskInput input;
  TaskState to;
};
using S = TaskState;
using I = TaskInput;
constexpr std::array kRows{
    Row{S::queued, I::begin, S::starting},
    Row{S::queued, I::stop, S::stopping},
    Row{S::starting, I::started, S::running},
    Row{S::starting, I::stop, S::stopping},
    Row{S::running, I::pause, S::paused},
    Row{S::running, I::resume, S::running},  // asked twice
    Row{S::running, I::stop, S::stopping},
    Row{S::paused, I::pause, S::paused},  // asked twice
    Row{S::paused, I::resume, S::running},
    Row{S::paused, I::stop, S::stopping},
    Row{S::stopping, I::started, S::stopping},  // the stop overtook the start's report
    Row{S::stopping, I::stop, S::stopping},     // asked twice, perhaps harder
};

}  // namespace

Result<TaskState> next_state(TaskState from, TaskInput input) {
  for (const auto& row : kRows)
    if (row.from == from && row.input == input) return row.to;
  return Error{Code::conflict,
               "the task is " + std::string(name_of(from)) + ": " + std::string(name_of(input)) +
                   " is not possible",
               {}};
}

Result<TaskState> end_state(TaskState from, const Outcome& outcome) {
  if (is_terminal(from))
    return Error{Code::conflict, "the task has ended already: " + std::string(name_of(from)), {}};
  return state_of(outcome);
}

}  // namespace codexos::daemon
