// SPDX-License-Identifier: Apache-2.0
#include "daemon/store/journal.h"

namespace codexos::daemon {
namespace {

#define APPLY_COLUMNS                                                                     \
  "a.id, a.task, a.kind, a.state, a.undoes, a.whole, a.paths, a.staging, a.commit_json, " \
  "a.at_us, a.done_at_us"

}  // namespace

Status Journal::prepare(const Database& db, std::function<Status()> begin_write,
                        std::function<Status(Statement&)> write) {
  begin_write_ = std::move(begin_write);
  write_ = std::move(write);
  return prepare_rows(
      db,
      {
          {insert_,
           "insert into apply (id, task, kind, state, undoes, whole, paths, staging, commit_json, "
           "at_us, done_at_us) values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"},
          {update_,
           "update apply set state = ?2, paths = ?3, staging = ?4, commit_json = ?5, done_at_us = "
           "?6 "
           "where id = ?1"},
          {unfinished_, "select " APPLY_COLUMNS
                        " from apply a where a.state in ('planned', 'staged') or a.staging = 1 "
                        "order by a.n"},
          {find_, "select " APPLY_COLUMNS " from apply a where a.id = ?1"},
          {last_of_task_,
           "select " APPLY_COLUMNS " from apply a where a.task = ?1 and a.state = 'done' "
           "order by a.n desc limit 1"},
          {last_of_workspace_,
           "select " APPLY_COLUMNS
           " from apply a join task t on t.id = a.task where t.workspace = ?1 and a.state = 'done' "
           "order by a.n desc limit 1"},
          {since_, "select " APPLY_COLUMNS
                   " from apply a join task t on t.id = a.task where t.workspace = ?1 and "
                   "a.state = 'done' and a.done_at_us > ?2 order by a.n"},
      });
}

Status Journal::insert(const ApplyRow& row) {
  CODEXOS_TRY(begin_write_());
  Use use(insert_);
  use->bind(row.id);
  use->bind(row.task);
  use->bind(name_of(row.kind));
  use->bind(name_of(row.state));
  use->bind(row.undoes);
  use->bind(int64_t{row.whole});
  use->bind(row.paths);
  use->bind(int64_t{row.staging});
  use->bind(row.commit_json);
  use->bind(row.at_us);
  use->bind(row.done_at_us);
  return write_(*use);
}

Status Journal::update(const ApplyRow& row) {
  CODEXOS_TRY(begin_write_());
  Use use(update_);
  use->bind(row.id);
  use->bind(name_of(row.state));
  use->bind(row.paths);
  use->bind(int64_t{row.staging});
  use->bind(row.commit_json);
  use->bind(row.done_at_us);
  return write_(*use);
}

Result<std::vector<ApplyRow>> Journal::read(Statement& s) {
  std::vector<ApplyRow> out;
  for (;;) {
    CODEXOS_ASSIGN(const bool more, s.step());
    if (!more) return out;
    ApplyRow row;
    row.id = s.column_text();
    row.task = s.column_text();
    const auto kind = find_enum<ApplyKind>(s.column_text());
    const auto state = find_enum<ApplyState>(s.column_text());
    if (!kind || !state) return Error{Code::internal, "unknown value in the database", {}};
    row.kind = *kind;
    row.state = *state;
    row.undoes = s.column_text();
    row.whole = s.column_int() != 0;
    row.paths = s.column_int();
    row.staging = s.column_int() != 0;
    row.commit_json = s.column_text();
    row.at_us = s.column_int();
    row.done_at_us = s.column_int();
    out.push_back(std::move(row));
  }
}

Result<std::vector<ApplyRow>> Journal::unfinished() {
  Use use(unfinished_);
  return read(*use);
}

Result<std::vector<ApplyRow>> Journal::since(const std::string& workspace, int64_t at_us) {
  Use use(since_);
  use->bind(workspace);
  use->bind(at_us);
  return read(*use);
}

Result<std::optional<ApplyRow>> Journal::first(Statement& s, const std::string& value) {
  Use use(s);
  use->bind(value);
  CODEXOS_ASSIGN(auto rows, read(*use));
  if (rows.empty()) return std::optional<ApplyRow>();
  return std::optional<ApplyRow>(std::move(rows.front()));
}

Result<std::optional<ApplyRow>> Journal::find(const std::string& id) { return first(find_, id); }
Result<std::optional<ApplyRow>> Journal::last_of_task(const std::string& task) {
  return first(last_of_task_, task);
}
Result<std::optional<ApplyRow>> Journal::last_of_workspace(const std::string& workspace) {
  return first(last_of_workspace_, workspace);
}

}  // namespace codexos::daemon
