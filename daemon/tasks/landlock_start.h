// SPDX-License-Identifier: Apache-2.0
// The folders of a task without namespaces (--isolation landlock): its own home and scratch space,
// made before it starts and removed after its end, and the way there for a user who is not root.
#pragma once

#include <string>
#include <vector>

#include "core/base/error.h"
#include "daemon/store/store.h"
#include "daemon/tasks/planner.h"
#include "daemon/tasks/task_files.h"

namespace codexos::daemon {

inline std::string private_dir(const TaskPaths& paths) { return paths.dir + "/private"; }
inline bool is_alone(const TaskRow& row) {
  return row.task.isolation == name_of(wire::Isolation::landlock);
}

/// Makes them. Under a root daemon they belong to the task's user, and its group may pass through
/// the state folder to them, which is closed to everybody else as before.
Status make_places(const TaskPaths& paths, const LandlockStart& start,
                   const std::vector<Root>& roots, const std::string& state_home);

}  // namespace codexos::daemon
