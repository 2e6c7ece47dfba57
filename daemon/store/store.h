// SPDX-License-Identifier: Apache-2.0
// The tenant's database (SQLite: WAL, synchronous=FULL). All SQL of the daemon lives in this
// folder. One transaction per loop turn: the first write begins it, commit() ends it; statements
// are prepared at start, so a typo fails at boot.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/outcome.h"
#include "core/wire/event.h"
#include "core/wire/task.h"
#include "daemon/store/budget_table.h"
#include "daemon/store/journal.h"
#include "daemon/store/secret_table.h"
#include "daemon/store/trust_list.h"

namespace codexos::daemon {

/// A task as the store keeps it: the wire type plus what only the daemon needs. The wire type's
/// created_at, started_at, ended_at and pid follow from the members below and are not kept twice.
struct TaskRow {
  wire::Task task;
  std::string tenant = "default";
  std::string secret;  // of shim.sock
  int64_t created_at_us = 0;
  int64_t clock_start_us = 0;  // CLOCK_REALTIME - CLOCK_BOOTTIME at creation; 0: not known
  int64_t started_at_us = 0;
  int64_t ended_at_us = 0;
  int32_t shim_pid = 0;
  uint64_t shim_start_time = 0;
  std::string boot_id;
  std::string layers_json;  // overlay roots with their layer folders (daemon/workspace)
  std::string create_json;  // the request as it came
  int64_t workspace_dev = 0;
  int64_t workspace_ino = 0;
  bool rm = false;  // forget when ended and nothing waits
  int64_t n = 0;    // order of creation; set by the store when the row is read
};

/// TaskQuery::cursor of the page that follows the one that ends with `last`. Stays good when tasks
/// are deleted.
std::string cursor_after(const TaskRow& last);

inline constexpr int kMaxPage = 1000;

struct TaskQuery {
  bool all = false;       // also ended tasks whose changes do not wait
  std::string workspace;  // only of this workspace
  std::string cursor;     // from cursor_after(), or empty: from the newest
  int limit = 100;        // at most kMaxPage
};

class Store {
 public:
  virtual ~Store() = default;
  /// Opens or creates `dir`/tenant.db, applies schema/sql migrations (compiled in). Error
  /// unavailable: the database is from a newer version (the message says so).
  static Result<std::unique_ptr<Store>> open(const std::string& dir);

  /// A savepoint per request: release on success, roll back on error. They do not nest.
  virtual Status savepoint() = 0;
  virtual Status release() = 0;
  virtual void rollback() = 0;
  /// Commits the turn's transaction if there is one. On error everything of the turn is rolled
  /// back.
  virtual Status commit() = 0;
  virtual bool dirty() const = 0;
  virtual void release_memory() = 0;  // what is only cached
  virtual Status check() = 0;         // for health: a real read

  virtual Status insert_task(const TaskRow& row) = 0;
  /// Writes all columns that may change (state, times, outcome, pid, changes, ...) of row.task.id.
  /// An ended task's state and cause never change again: conflict.
  virtual Status update_task(const TaskRow& row) = 0;
  virtual Status delete_task(const std::string& id) = 0;         // with its events
  virtual Result<TaskRow> load_task(const std::string& id) = 0;  // exact id
  /// Id, unique id prefix or name. not_found; ambiguous lists up to 5 candidates.
  virtual Result<TaskRow> find_task(const std::string& name_or_prefix) = 0;
  virtual Result<std::vector<TaskRow>> list_tasks(const TaskQuery& q) = 0;  // newest first
  virtual Result<std::vector<TaskRow>> unfinished_tasks() = 0;
  /// Ended tasks whose layers hold something: their changes wait, or a later task continues them.
  /// Oldest first.
  virtual Result<std::vector<TaskRow>> tasks_with_layers() = 0;
  /// The newest task of a workspace (by path, and device and inode), or nothing. waiting_only:
  /// whose changes wait.
  virtual Result<std::optional<TaskRow>> last_task(const std::string& workspace,
                                                   bool waiting_only) = 0;

  /// Appends with the task's next seq (set in `e`), ts set by the caller. A second task.ended is a
  /// conflict.
  virtual Status append_event(wire::Event& e) = 0;
  /// Events of a task (empty: of all, in insertion order) with row order > since; `since` is seq
  /// for one task, the global order for all.
  struct StoredEvent {
    int64_t order = 0;  // global
    wire::Event event;
  };
  virtual Result<std::vector<StoredEvent>> events(const std::string& task, int64_t since,
                                                  int limit) = 0;

  /// Applies and undos; in the same transaction.
  virtual Journal& journal() = 0;
  /// Which projects are trusted; likewise.
  virtual TrustList& trust() = 0;
  /// The vault's rows; likewise.
  virtual SecretTable& secrets() = 0;
  /// What models may cost and did cost; likewise.
  virtual BudgetTable& budgets() = 0;

  /// Idempotency-Key (of one caller's uid): the task id it made before, if the request's hash is
  /// the same; conflict if it differs.
  virtual Result<std::optional<std::string>> find_idempotent(uint32_t uid, const std::string& key,
                                                             const std::string& request_hash) = 0;
  virtual Status put_idempotent(uint32_t uid, const std::string& key,
                                const std::string& request_hash, const std::string& task) = 0;
};

}  // namespace codexos::daemon
