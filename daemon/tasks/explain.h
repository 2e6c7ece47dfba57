// SPDX-License-Identifier: Apache-2.0
// `why`: gathers what was recorded of a task and what the host has beside it, for core/policy/why.h
// to explain.
#pragma once

#include <optional>
#include <string>

#include "core/base/error.h"
#include "core/policy/report.h"
#include "core/policy/why.h"
#include "daemon/store/store.h"
#include "daemon/tasks/planner.h"

namespace codexos::daemon {

/// Events that are read for it: at the end of a failed task the first thousand are enough.
enum class Depth { first, all };

/// A path that a program of the task looked for: whether it is there on the host and not inside.
std::optional<policy::MissingPath> look_for(const std::string& path, const TaskRow& row,
                                            Planner& planner);
Result<policy::Why> explain_task(const TaskRow& row, Store& store, Planner& planner, Depth depth);
/// The smallest policy that gives the task what it had and what it was refused.
Result<policy::PolicyView> suggest_policy(const TaskRow& row, Store& store, Planner& planner);

}  // namespace codexos::daemon
