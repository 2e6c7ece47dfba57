// SPDX-License-Identifier: Apache-2.0
// The next task will probably work on the folder that the last one worked on. Parked helpers mount
// an overlay over it ahead of time, each with a spare task folder whose layer it is: a mount writes
// to the state's file system and then waits for whatever commit is under way there. Nothing is
// looked up in such an overlay before its task begins, so what the user does to the folder
// meanwhile is seen. One that is not used for a minute goes, since it holds on to the folder's file
// system.
#pragma once

#include <optional>
#include <string>

#include "core/base/error.h"
#include "core/os/loop.h"
#include "daemon/sandbox/helpers.h"
#include "daemon/sandbox/launcher.h"
#include "daemon/tasks/planner.h"
#include "daemon/tasks/spare_folders.h"
#include "daemon/tasks/task_files.h"

namespace codexos::daemon {

class Ahead {
 public:
  Ahead(Loop& loop, Helpers& helpers, Launcher& launcher, SpareFolders& spares);

  /// The files of a new task. `name` becomes what Launcher::launch() takes the helper by that has
  /// the overlay of these files mounted; empty: none has.
  Result<TaskFds> create(const TaskPaths& paths, const Start& start, std::string& name);

 private:
  void remember(const Root& root);
  void offer(Helper& h);
  void forget();

  Loop& loop_;
  Helpers& helpers_;
  Launcher& launcher_;
  SpareFolders& spares_;
  std::optional<Root> last_;
  Loop::TimerId forget_timer_ = 0;
};

}  // namespace codexos::daemon
