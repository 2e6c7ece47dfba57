// SPDX-License-Identifier: Apache-2.0
// Task folders made ahead, each with all its files open and an empty layer: a start then renames
// one instead of making a dozen inodes. The layers of a task that changed nothing are used again,
// since ext4 passes over every recently deleted inode when it looks for a free one. The worker
// makes them while nothing else happens; an earlier daemon's are removed.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "daemon/tasks/task_files.h"
#include "daemon/tasks/worker.h"

namespace codexos::daemon {

class SpareFolders {
 public:
  /// `tenant_dir` is .../tenants/<tenant>. `keep`: how many are ready at most; 0: none ever.
  SpareFolders(Worker& worker, std::string tenant_dir, std::string boot_id, size_t keep);

  /// As create_task_files(), from a spare folder where there is one.
  Result<TaskFds> create(const TaskPaths& paths, const std::vector<Root>& roots);
  /// One that is not a task's yet, though its layer is in use: removed unless it becomes one's.
  class Lent {
   public:
    Lent(Worker& worker, std::string dir, TaskFds fds)
        : worker_(worker), dir_(std::move(dir)), fds_(std::move(fds)) {}
    ~Lent();
    Lent(const Lent&) = delete;
    Lent& operator=(const Lent&) = delete;
    /// The folder becomes `dir`; nothing: it cannot.
    std::optional<TaskFds> move_to(const std::string& dir);
    std::string layer() const { return dir_ + "/layers/0"; }

   private:
    Worker& worker_;
    std::string dir_;  // empty: it is a task's
    TaskFds fds_;
  };
  /// With a layer that fits `root`, whose own `layer` is not looked at; null: there is none.
  std::shared_ptr<Lent> lend(Root root);
  /// The layers of a task that changed nothing: used again when nothing of it is left in them, else
  /// removed.
  void give_back(const std::string& layers_dir);
  /// Makes spare folders until enough are ready.
  void refill();
  size_t ready() const { return ready_.size(); }

 private:
  struct Spare {
    std::string dir;
    TaskFds fds;
  };
  std::string next_name();

  Worker& worker_;
  std::string dir_, boot_id_;
  size_t keep_;
  std::vector<Spare> ready_;
  std::vector<std::string> layers_;  // to be used again
  size_t making_ = 0;
  uint64_t next_ = 0;
  std::shared_ptr<bool> exists_ = std::make_shared<bool>(true);  // for answers that come too late
};

}  // namespace codexos::daemon
