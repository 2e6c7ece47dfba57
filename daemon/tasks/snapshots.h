// SPDX-License-Identifier: Apache-2.0
// Snapshots of a task's changes: taken, listed, given back, removed (daemon/workspace/snapshot.h
// says what one is). A running task stands still while one is taken, by a cgroup freezer; where
// none may be used, a running task is refused.
//
// tasks/ID/snapshots/NAME/manifest   what it holds
// tasks/ID/snapshots/NAME/info       what lists show; written last: without it there is no snapshot
// tasks/ID/snapshots/NAME/layers/N   the same as layers, made when a task starts from it
#pragma once

#include <functional>
#include <set>
#include <string>

#include "core/base/error.h"
#include "core/wire/snapshot.h"
#include "daemon/store/store.h"
#include "daemon/tasks/after_commit.h"
#include "daemon/tasks/feed.h"
#include "daemon/tasks/supervisor.h"
#include "daemon/tasks/worker.h"

namespace codexos::daemon {

struct SnapshotsParts {
  Store& store;
  Supervisor& supervisor;
  Feed& feed;
  AfterCommit& after_commit;
  Worker& worker;
};

class Snapshots {
 public:
  using OnSnapshot = std::function<void(Result<wire::Snapshot>)>;
  using OnList = std::function<void(Result<wire::SnapshotList>)>;
  using OnTask = std::function<void(Result<wire::Task>)>;

  explicit Snapshots(SnapshotsParts parts) : p_(parts) {}

  /// Error conflict: the name is taken, or the task has no layers of its own; unavailable: it runs
  /// and cannot be frozen here.
  void create(const std::string& task, const wire::SnapshotBody& body, OnSnapshot done);
  void list(const std::string& task, OnList done);
  /// Puts the state back into an ended task's layers; its changes wait then.
  void restore(const std::string& task, const std::string& name, OnTask done);
  void remove(const std::string& task, const std::string& name, OnSnapshot done);
  /// Makes the layers that a task needs to start from it (`from`: TASK@NAME).
  void open(const std::string& task, const std::string& name, OnSnapshot done);

 private:
  SnapshotsParts p_;
};

}  // namespace codexos::daemon
