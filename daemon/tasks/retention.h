// SPDX-License-Identifier: Apache-2.0
// Held-back changes do not stay for ever. Layers that nobody needs (empty, applied, discarded,
// taken over by a task that is over) go at once; those that wait go after some days, or, oldest
// first, when all together take too much. A task whose changes went says so: state `expired`, a
// note, an event. Contents that nothing refers to any more are swept, and folders that a crash left
// behind.
//
// The plan is a pure function; Retention asks the disk by the worker and the store by the loop.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_set>
#include <vector>

#include "core/base/error.h"
#include "core/os/loop.h"
#include "daemon/store/store.h"
#include "daemon/tasks/after_commit.h"
#include "daemon/tasks/feed.h"
#include "daemon/tasks/supervisor.h"
#include "daemon/tasks/worker.h"
#include "daemon/workspace/objects.h"

namespace codexos::daemon {

struct RetentionLimits {
  uint64_t age_s = 14 * 86400;          // waiting changes of an ended task
  uint64_t bytes = uint64_t{10} << 30;  // of all held-back changes together
  uint64_t every_s = 3600;              // how often it is looked at
  uint64_t after_end_s = 60;            // and how soon after something ended
  uint64_t grace_s = 3600;              // contents that are younger are never swept
};
/// One row a limit: the daemon's environment may set it.
struct RetentionRow {
  const char* variable;
  uint64_t RetentionLimits::*member;
  const char* what;
};
const std::vector<RetentionRow>& retention_rows();
/// `get` is getenv(3). Error invalid: not a number.
Result<RetentionLimits> read_retention_limits(const char* (*get)(const char*));

/// The layers of one task, as they are on the disk.
struct HeldLayers {
  std::string id;
  std::string state;                 // changes_state
  int64_t ended_us = 0;              // 0: it runs
  uint64_t bytes = 0;                // of its own layers
  bool busy = false;                 // a sandbox or an apply uses them
  std::set<std::string> stacked_on;  // ids of the tasks whose layers lie below its own
};
struct Expiry {
  std::string id;
  std::string why;  // "they had waited for 14 days"
};
struct RetentionPlan {
  std::vector<Expiry> expire;       // waiting changes that go: said on the task
  std::vector<std::string> remove;  // layers that nobody needs, those of `expire` among them
};
RetentionPlan plan_retention(const std::vector<HeldLayers>& held, const RetentionLimits& limits,
                             int64_t now_us);

/// Every content id that stands in the files of the tasks below `tasks_dir`: bases, journals of
/// applies, snapshots. Their formats are not looked at: 64 hexadecimal digits are an id.
Result<std::unordered_set<std::string>> content_references(const std::string& tasks_dir);

/// Removes the contents below `home` that nothing refers to and that are older than `grace_s`.
/// Error: something could not be read, so nothing was removed.
Result<ObjectStore::Swept> sweep_contents(const std::string& home, uint64_t grace_s);

struct RetentionParts {
  Loop& loop;
  Store& store;
  Supervisor& supervisor;
  Feed& feed;
  AfterCommit& after_commit;
  Worker& worker;
  std::string home;
};

class Retention {
 public:
  Retention(RetentionParts parts, RetentionLimits limits);
  ~Retention();
  Retention(const Retention&) = delete;
  Retention& operator=(const Retention&) = delete;
  /// Looks now, and from then on by the clock.
  void start();

 private:
  struct Look;
  using LookPtr = std::shared_ptr<Look>;
  void arm(uint64_t in_s);
  void look();
  void sort_out(const LookPtr& look);
  void act(const LookPtr& look);
  HeldLayers describe(const std::string& id);
  std::vector<HeldLayers> held_now(const Look& look);
  Status expire(const Expiry& e);
  void remove_all(std::vector<std::string> dirs);
  void sweep();

  RetentionParts p_;
  RetentionLimits limits_;
  std::map<std::string, uint64_t> sizes_;  // of ended tasks' layers, which do not change any more
  Feed::Id subscription_ = 0;
  Loop::TimerId timer_ = 0;
  int64_t due_us_ = 0;  // CLOCK_MONOTONIC
  int64_t swept_us_ = 0;
  bool looking_ = false;
};

}  // namespace codexos::daemon
