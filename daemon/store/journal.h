// SPDX-License-Identifier: Apache-2.0
// The journal of applies and undos (schema/sql/0003_applies.sql). What an apply exchanges for what
// is not here but in a file of its task's folder: it can be tens of thousands of paths.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/fields.h"
#include "daemon/store/sqlite.h"

namespace codexos::daemon {

enum class ApplyKind : int { apply, undo };
constexpr auto enum_names(ApplyKind) {
  return std::array{EnumName{ApplyKind::apply, "apply"}, EnumName{ApplyKind::undo, "undo"}};
}
enum class ApplyState : int { planned, staged, done, reverted };
constexpr auto enum_names(ApplyState) {
  return std::array{EnumName{ApplyState::planned, "planned"},
                    EnumName{ApplyState::staged, "staged"}, EnumName{ApplyState::done, "done"},
                    EnumName{ApplyState::reverted, "reverted"}};
}

struct ApplyRow {
  std::string id;
  std::string task;
  ApplyKind kind = ApplyKind::apply;
  ApplyState state = ApplyState::planned;
  std::string undoes;  // of an undo: the row that it undoes
  bool whole = false;  // of an apply: nothing of the task's changes was left
  int64_t paths = 0;
  bool staging = true;  // staging folders may still be there
  std::string commit_json;
  int64_t at_us = 0;
  int64_t done_at_us = 0;
};

class Journal {
 public:
  /// `begin_write` begins the turn's transaction; `write` runs a statement in it.
  Status prepare(const Database& db, std::function<Status()> begin_write,
                 std::function<Status(Statement&)> write);

  Status insert(const ApplyRow& row);
  /// Everything that may change: state, staging, paths, commit, done_at_us.
  Status update(const ApplyRow& row);
  /// What a new daemon has to finish or to clean up, oldest first.
  Result<std::vector<ApplyRow>> unfinished();
  Result<std::optional<ApplyRow>> find(const std::string& id);
  /// The newest that is done.
  Result<std::optional<ApplyRow>> last_of_task(const std::string& task);
  Result<std::optional<ApplyRow>> last_of_workspace(const std::string& workspace);
  /// What was done to a workspace after this time, oldest first.
  Result<std::vector<ApplyRow>> since(const std::string& workspace, int64_t at_us);

 private:
  static Result<std::vector<ApplyRow>> read(Statement& s);
  Result<std::optional<ApplyRow>> first(Statement& s, const std::string& value);

  std::function<Status()> begin_write_;
  std::function<Status(Statement&)> write_;
  Statement insert_, update_, unfinished_, find_, last_of_task_, last_of_workspace_, since_;
};

}  // namespace codexos::daemon
