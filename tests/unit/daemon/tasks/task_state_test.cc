// SPDX-License-Identifier: Apache-2.0
// The table of a task's states, looked at as a whole: every pair of state and input.
#include "daemon/tasks/task_state.h"

#include <doctest/doctest.h>

#include <map>
#include <string>

namespace codexos::daemon {
namespace {

constexpr std::array kUnfinished{TaskState::queued, TaskState::starting, TaskState::running,
                                 TaskState::paused, TaskState::stopping};

TEST_CASE("a task goes from queued to running, and through a pause") {
  TaskState s = TaskState::queued;
  for (const TaskInput input : {TaskInput::begin, TaskInput::started, TaskInput::pause,
                                TaskInput::resume, TaskInput::stop}) {
    const auto next = next_state(s, input);
    REQUIRE(next.ok());
    s = *next;
  }
  CHECK(s == TaskState::stopping);
}

TEST_CASE("every unfinished task can be stopped, and a stop can be repeated") {
  for (const TaskState s : kUnfinished) {
    const auto once = next_state(s, TaskInput::stop);
    REQUIRE(once.ok());
    CHECK(*once == TaskState::stopping);
    CHECK(*next_state(*once, TaskInput::stop) == TaskState::stopping);
  }
}

TEST_CASE("an ended task takes no input") {
  for (const auto& state : enum_names(TaskState{}))
    for (const auto& input : enum_names(TaskInput{}))
      if (is_terminal(state.value)) CHECK_FALSE(next_state(state.value, input.value).ok());
}

TEST_CASE("no input leads to an end: only an outcome does") {
  for (const auto& state : enum_names(TaskState{}))
    for (const auto& input : enum_names(TaskInput{})) {
      const auto next = next_state(state.value, input.value);
      if (next.ok()) CHECK_FALSE(is_terminal(*next));
      if (!next.ok()) CHECK(next.error().code == Code::conflict);
    }
}

TEST_CASE("a stop that overtook the report of the start stays a stop") {
  CHECK(*next_state(TaskState::stopping, TaskInput::started) == TaskState::stopping);
}

TEST_CASE("a starting task cannot be paused") {
  CHECK_FALSE(next_state(TaskState::starting, TaskInput::pause).ok());
  CHECK_FALSE(next_state(TaskState::stopping, TaskInput::resume).ok());
}

TEST_CASE("every cause ends every unfinished task, once") {
  for (const auto& row : kCauses) {
    Outcome o;
    o.cause = row.cause;
    o.code = 1;
    for (const TaskState s : kUnfinished) {
      const auto end = end_state(s, o);
      REQUIRE(end.ok());
      CHECK(is_terminal(*end));
      CHECK_FALSE(end_state(*end, o).ok());
    }
  }
}

TEST_CASE("exit 0 is success, whatever came before; a stopped task that exits 0 is killed") {
  Outcome o;
  o.cause = Cause::exited;
  CHECK(*end_state(TaskState::running, o) == TaskState::succeeded);
  o.cause = Cause::stopped;
  CHECK(*end_state(TaskState::stopping, o) == TaskState::killed);
}

}  // namespace
}  // namespace codexos::daemon
