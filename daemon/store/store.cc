// SPDX-License-Identifier: Apache-2.0
// The tenant's database. Truth about "is there a transaction" is sqlite's: a full disk or an I/O
// error makes it roll back by itself in the middle of a turn, and then commit() must fail, because
// writes of earlier requests of the turn are gone too.
//
// Speed (measured, see the design's hot path): the WAL is grown once and then overwritten, since
// overwriting allocated blocks is twice as cheap to sync as appending; it is kept when the database
// is closed. Few indexes lie on the path of a start. The first request of a turn needs no
// savepoint: its undo is the transaction's.
#include "daemon/store/store.h"

#include <sys/stat.h>

#include <algorithm>
#include <charconv>

#include "core/base/clock.h"
#include "core/base/id.h"
#include "core/os/file.h"
#include "daemon/store/columns.h"
#include "daemon/store/migrate.h"
#include "daemon/store/sqlite.h"

namespace codexos::daemon {
namespace {

#define OPEN_TASKS                                                    \
  "(state in ('queued', 'starting', 'running', 'paused', 'stopping')" \
  "     or changes_state = 'waiting')"
#define TASK_COLUMNS                                                          \
  "id, tenant, name, labels_json, argv_json, cwd, workspace, workspace_dev, " \
  "workspace_ino, mode, from_task, create_json, created_at_us, "              \
  "clock_start_us, state, activity, isolation, seccomp, network, "            \
  "landlock_abi, cause, exit_code, signal, detail, started_at_us, "           \
  "ended_at_us, usage_json, changes_json, changes_state, notes_json, "        \
  "secret, shim_pid, shim_start_time, boot_id, layers_json, rm, net_json, "   \
  "agent_json, limits_json, secrets_json, models_json, ssh_keys_json"

constexpr SqlText kInsertTask =
    "insert into task (" TASK_COLUMNS
    ") values (:id, :tenant, :name, :labels_json, :argv_json, :cwd, :workspace, :workspace_dev, "
    ":workspace_ino, :mode, :from_task, :create_json, :created_at_us, :clock_start_us, :state, "
    ":activity, :isolation, :seccomp, :network, :landlock_abi, :cause, :exit_code, :signal, "
    ":detail, "
    ":started_at_us, :ended_at_us, :usage_json, :changes_json, :changes_state, :notes_json, "
    ":secret, :shim_pid, :shim_start_time, :boot_id, :layers_json, :rm, :net_json, :agent_json, "
    ":limits_json, :secrets_json, :models_json, :ssh_keys_json)";
// A row whose task has ended is found only with its own state and cause.
constexpr SqlText kUpdateTask =
    "update task set state = :state, activity = :activity, isolation = :isolation, "
    "seccomp = :seccomp, network = :network, landlock_abi = :landlock_abi, cause = :cause, "
    "exit_code = :exit_code, signal = :signal, detail = :detail, started_at_us = :started_at_us, "
    "ended_at_us = :ended_at_us, usage_json = :usage_json, changes_json = :changes_json, "
    "changes_state = :changes_state, notes_json = :notes_json, secret = :secret, "
    "shim_pid = :shim_pid, shim_start_time = :shim_start_time, boot_id = :boot_id, "
    "layers_json = :layers_json, rm = :rm, net_json = :net_json, agent_json = :agent_json, "
    "limits_json = :limits_json, secrets_json = :secrets_json, models_json = :models_json, "
    "ssh_keys_json = :ssh_keys_json where id = :task and "
    "(state in ('queued', 'starting', 'running', 'paused', 'stopping') "
    " or (state = :state and cause = :cause))";
#define SELECT_TASK "select " TASK_COLUMNS ", n from task "

/// Limits of one page of events.
constexpr int kMaxEvents = 10000;
/// Frames of a whole WAL before it is checkpointed (1000 pages of 4 KiB), and some more.
constexpr int64_t kWalBytes = 4600 << 10;

class StoreImpl final : public Store {
 public:
  Status open(const std::string& dir);

  Status savepoint() override;
  Status release() override;
  void rollback() override;
  Status commit() override;
  void release_memory() override { (void)db_.exec("pragma shrink_memory"); }
  bool dirty() const override { return writing_; }
  Status check() override;

  Status insert_task(const TaskRow& row) override;
  Status update_task(const TaskRow& row) override;
  Status delete_task(const std::string& id) override;
  Result<TaskRow> load_task(const std::string& id) override;
  Result<TaskRow> find_task(const std::string& name_or_prefix) override;
  Result<std::vector<TaskRow>> list_tasks(const TaskQuery& q) override;
  Result<std::vector<TaskRow>> unfinished_tasks() override;
  Result<std::vector<TaskRow>> tasks_with_layers() override;
  Result<std::optional<TaskRow>> last_task(const std::string& workspace,
                                           bool waiting_only) override;
  Status append_event(wire::Event& e) override;
  Result<std::vector<StoredEvent>> events(const std::string& task, int64_t since,
                                          int limit) override;
  Result<std::optional<std::string>> find_idempotent(uint32_t uid, const std::string& key,
                                                     const std::string& request_hash) override;
  Status put_idempotent(uint32_t uid, const std::string& key, const std::string& request_hash,
                        const std::string& task) override;
  Journal& journal() override { return journal_; }
  TrustList& trust() override { return trust_; }
  SecretTable& secrets() override { return secrets_; }
  BudgetTable& budgets() override { return budgets_; }

 private:
  Status configure();
  Status preallocate_wal(const std::string& path);
  Status prepare_all();
  Status check_columns();
  Status write(Statement& s);
  Status begin_write();
  Result<std::string> id_of_name(const std::string& name);
  Result<std::vector<TaskRow>> read_tasks(Statement& s);

  Database db_;  // first: statements end before it
  Statement begin_, commit_, rollback_, savepoint_, release_, rollback_to_, check_;
  Statement insert_task_, update_task_, delete_task_, id_of_name_, ids_by_prefix_, load_task_;
  Statement list_open_, list_all_, list_workspace_, list_workspace_open_, unfinished_;
  Statement with_layers_;
  Statement last_task_, last_waiting_;
  Statement next_seq_, insert_event_, events_of_task_, events_of_all_, raise_floor_;
  Statement find_key_, put_key_;
  Journal journal_;
  TrustList trust_;
  SecretTable secrets_;
  BudgetTable budgets_;

  enum class Savepoint { none, real, whole_transaction };
  Savepoint savepoint_kind_ = Savepoint::none;
  bool writing_ = false;         // a transaction was begun in this turn
  std::optional<Error> broken_;  // sqlite ended it by itself: nothing of the turn is kept
  int64_t next_order_ = 1;
};

// --- opening ---

Status StoreImpl::configure() {
  // foreign_keys and synchronous belong to the connection, journal_mode to the file. A reader on
  // the side (sqlite3) may hold a lock for a moment.
  CODEXOS_TRY(db_.exec("pragma busy_timeout = 1000"));
  CODEXOS_TRY(db_.exec("pragma journal_mode = wal"));
  CODEXOS_TRY(db_.exec("pragma synchronous = full"));
  CODEXOS_TRY(db_.exec("pragma foreign_keys = on"));
  CODEXOS_TRY(db_.exec("pragma trusted_schema = off"));
  CODEXOS_TRY(db_.exec("pragma temp_store = memory"));
  db_.keep_wal();
  return {};
}

/// Grows the WAL to the size that it reaches between checkpoints: a write that does not fit the
/// cache spills into it and is then rolled back, so the database itself does not grow. The commit
/// after it makes the new blocks durable once; the checkpoint makes the next commit begin at the
/// front. (journal_size_limit stays off and TRUNCATE is not used: both would give the blocks back.)
Status StoreImpl::preallocate_wal(const std::string& path) {
  struct stat st {};
  const std::string wal = path + "-wal";
  if (stat(wal.c_str(), &st) == 0 && st.st_size >= kWalBytes) return {};
  CODEXOS_TRY(db_.exec("pragma cache_size = -64"));
  CODEXOS_TRY(db_.exec("begin immediate"));
  CODEXOS_TRY(db_.exec("create table filler (bytes blob)"));
  CODEXOS_TRY(db_.exec("insert into filler values (zeroblob(4800000))"));
  CODEXOS_TRY(db_.exec("rollback"));
  CODEXOS_TRY(db_.exec("pragma cache_size = -4000"));
  CODEXOS_TRY(db_.exec("update event_floor set floor = floor"));
  return db_.exec("pragma wal_checkpoint(restart)");
}

Status StoreImpl::open(const std::string& dir) {
  const std::string path = dir + "/tenant.db";
  CODEXOS_TRY(make_dirs(dir, 0700));
  CODEXOS_ASSIGN(db_, Database::open(path));
  CODEXOS_TRY(configure());
  CODEXOS_TRY(migrate(db_, path));
  CODEXOS_TRY(preallocate_wal(path));
  CODEXOS_TRY(prepare_all());
  CODEXOS_TRY(check_columns());
  CODEXOS_ASSIGN(next_order_,
                 db_.query_int("select 1 + max(floor, (select ifnull(max(ord), 0) from event)) "
                               "from event_floor"));
  return {};
}

Status StoreImpl::prepare_all() {
  CODEXOS_TRY(prepare_rows(
      db_,
      {
          {begin_, "begin immediate"},
          {commit_, "commit"},
          {rollback_, "rollback"},
          {savepoint_, "savepoint request"},
          {release_, "release request"},
          {rollback_to_, "rollback to request"},
          {check_, "select n from task order by n desc limit 1"},
          {insert_task_, kInsertTask},
          {update_task_, kUpdateTask},
          {delete_task_, "delete from task where id = ?1"},
          {id_of_name_, "select id from task where name = ?1 and name <> ''"},
          {ids_by_prefix_, "select id from task where id >= ?1 and id < ?2 order by id limit 6"},
          {load_task_, SELECT_TASK "where id = ?1"},
          {list_open_, SELECT_TASK "where n < ?1 and " OPEN_TASKS " order by n desc limit ?2"},
          {list_all_, SELECT_TASK "where n < ?1 order by n desc limit ?2"},
          {list_workspace_, SELECT_TASK "where n < ?1 and workspace = ?3 order by n desc limit ?2"},
          {list_workspace_open_, SELECT_TASK "where n < ?1 and workspace = ?3 and " OPEN_TASKS
                                             " order by n desc limit ?2"},
          {unfinished_, SELECT_TASK "where " OPEN_TASKS
                                    " and state in ('queued', 'starting', 'running', 'paused', "
                                    "'stopping') order by n"},
          {with_layers_, SELECT_TASK
           "where changes_state in ('waiting', 'continued') and ended_at_us <> 0 order by n"},
          {last_task_, SELECT_TASK "where workspace = ?1 order by n desc limit 1"},
          {last_waiting_, SELECT_TASK
           "where workspace = ?1 and changes_state = 'waiting' order by n desc limit 1"},
          {next_seq_, "select ifnull(max(seq), 0) + 1 from event where task = ?1"},
          {insert_event_,
           "insert into event (ord, task, seq, type, json) values (?1, ?2, ?3, ?4, ?5)"},
          {events_of_task_,
           "select ord, json from event where task = ?1 and seq > ?2 order by seq limit ?3"},
          {events_of_all_, "select ord, json from event where ord > ?1 order by ord limit ?2"},
          {raise_floor_, "update event_floor set floor = ?1 where floor < ?1"},
          {find_key_, "select request_hash, task from idempotency where uid = ?1 and key = ?2"},
          {put_key_,
           "insert into idempotency (uid, key, request_hash, task, created_at_us) "
           "values (?1, ?2, ?3, ?4, ?5)"},
      }));
  const auto begin = [this] { return begin_write(); };
  const auto run = [this](Statement& s) { return write(s); };
  CODEXOS_TRY(journal_.prepare(db_, begin, run));
  CODEXOS_TRY(trust_.prepare(db_, begin, run));
  CODEXOS_TRY(secrets_.prepare(db_, begin, run));
  return budgets_.prepare(db_, begin, run);
}

/// The SQL above and the listing in columns.h must agree, name by name.
Status StoreImpl::check_columns() {
  ColumnNames fixed;
  ColumnNames changing;
  const TaskRow row;
  fixed_columns(row, fixed);
  changing_columns(row, changing);
  std::vector<std::string> all = fixed.names;
  all.insert(all.end(), changing.names.begin(), changing.names.end());
  for (size_t i = 0; i < all.size(); ++i) {
    CODEXOS_CHECK(load_task_.column_name(static_cast<int>(i)) == all[i]);
    CODEXOS_CHECK(insert_task_.parameter_name(static_cast<int>(i) + 1) == ":" + all[i]);
  }
  for (size_t i = 0; i < changing.names.size(); ++i)
    CODEXOS_CHECK(update_task_.parameter_name(static_cast<int>(i) + 1) == ":" + changing.names[i]);
  CODEXOS_CHECK(load_task_.column_count() == static_cast<int>(all.size()) + 1);
  CODEXOS_CHECK(insert_task_.parameter_count() == static_cast<int>(all.size()));
  CODEXOS_CHECK(update_task_.parameter_count() == static_cast<int>(changing.names.size()) + 1);
  return {};
}

// --- transactions ---

Status StoreImpl::begin_write() {
  if (broken_) return *broken_;
  if (writing_) return {};
  CODEXOS_TRY(Use(begin_)->run());
  writing_ = true;
  return {};
}

/// Runs a writing statement whose parameters are bound.
Status StoreImpl::write(Statement& s) {
  auto done = s.run();
  if (!done.ok() && writing_ && !db_.in_transaction()) broken_ = done.error();
  return done;
}

Status StoreImpl::savepoint() {
  if (broken_) return *broken_;
  CODEXOS_CHECK(savepoint_kind_ == Savepoint::none);
  if (writing_) CODEXOS_TRY(Use(savepoint_)->run());
  savepoint_kind_ = writing_ ? Savepoint::real : Savepoint::whole_transaction;
  return {};
}

Status StoreImpl::release() {
  const auto kind = std::exchange(savepoint_kind_, Savepoint::none);
  if (broken_) return *broken_;
  if (kind == Savepoint::real) return Use(release_)->run();
  return {};
}

void StoreImpl::rollback() {
  const auto kind = std::exchange(savepoint_kind_, Savepoint::none);
  if (broken_ || !writing_) return;
  if (kind == Savepoint::real) {
    auto undone = Use(rollback_to_)->run();
    if (undone.ok()) undone = Use(release_)->run();
    if (!undone.ok()) broken_ = std::move(undone).error();
    return;
  }
  if (kind == Savepoint::none) return;
  auto undone = Use(rollback_)->run();
  if (undone.ok()) {
    writing_ = false;
  } else {
    broken_ = std::move(undone).error();
  }
}

Status StoreImpl::commit() {
  savepoint_kind_ = Savepoint::none;
  if (!std::exchange(writing_, false)) return {};
  Status done = broken_ ? Status(*std::exchange(broken_, std::nullopt)) : Use(commit_)->run();
  if (!done.ok() && db_.in_transaction()) (void)Use(rollback_)->run();
  if (!done.ok()) return std::move(done).error().during("commit");
  return {};
}

Status StoreImpl::check() {
  Use use(check_);
  CODEXOS_TRY(use->step());
  return {};
}

// --- tasks ---

Status StoreImpl::insert_task(const TaskRow& row) {
  CODEXOS_TRY(begin_write());
  if (!row.task.name.empty()) {
    CODEXOS_ASSIGN(const std::string holder, id_of_name(row.task.name));
    if (!holder.empty())
      return Error{Code::conflict, "the name \"" + row.task.name + "\" belongs to task " + holder,
                   "choose another name, or: codexos rm " + holder};
  }
  Use use(insert_task_);
  ColumnBinder bind(*use);
  fixed_columns(row, bind);
  changing_columns(row, bind);
  return write(*use);
}

Status StoreImpl::update_task(const TaskRow& row) {
  CODEXOS_TRY(begin_write());
  const int64_t before = db_.total_changes();
  {
    Use use(update_task_);
    ColumnBinder bind(*use);
    changing_columns(row, bind);
    use->bind(row.task.id);
    CODEXOS_TRY(write(*use));
  }
  if (db_.total_changes() > before) return {};
  CODEXOS_ASSIGN(const TaskRow now, load_task(row.task.id));
  return Error{Code::conflict,
               "task " + now.task.id + " has ended: " + std::string(name_of(now.task.state)),
               {}};
}

Status StoreImpl::delete_task(const std::string& id) {
  CODEXOS_TRY(begin_write());
  {
    Use use(raise_floor_);
    use->bind(next_order_ - 1);
    CODEXOS_TRY(write(*use));
  }
  CODEXOS_TRY(budgets_.remove("task:" + id, wire::BudgetPeriod::total));
  const int64_t before = db_.total_changes();
  Use use(delete_task_);
  use->bind(id);
  CODEXOS_TRY(write(*use));
  if (db_.total_changes() == before) return Error{Code::not_found, "no task " + id, {}};
  return {};
}

/// Whether one of the request's stdio modes is pty. A quote inside a JSON string is escaped, so
/// this text is a member and nothing else.
static bool asked_for_terminal(const std::string& create_json) {
  return create_json.find("_mode\":\"pty\"") != std::string::npos;
}

Result<std::vector<TaskRow>> StoreImpl::read_tasks(Statement& s) {
  std::vector<TaskRow> out;
  for (;;) {
    CODEXOS_ASSIGN(const bool more, s.step());
    if (!more) return out;
    TaskRow row;
    ColumnReader reader(s);
    fixed_columns(row, reader);
    changing_columns(row, reader);
    if (auto read = reader.take(); !read.ok())
      return std::move(read).error().during("read task " + row.task.id);
    row.n = s.column_int();
    if (row.created_at_us != 0) row.task.created_at = format_time(row.created_at_us);
    if (row.started_at_us != 0) row.task.started_at = format_time(row.started_at_us);
    if (row.ended_at_us != 0) row.task.ended_at = format_time(row.ended_at_us);
    row.task.terminal = asked_for_terminal(row.create_json);
    if (row.shim_pid != 0 && !is_terminal(row.task.state)) row.task.pid = row.shim_pid;
    out.push_back(std::move(row));
  }
}

Result<TaskRow> StoreImpl::load_task(const std::string& id) {
  Use use(load_task_);
  use->bind(id);
  CODEXOS_ASSIGN(auto rows, read_tasks(*use));
  if (rows.empty()) return Error{Code::not_found, "no task " + id, {}};
  return std::move(rows.front());
}

Result<std::string> StoreImpl::id_of_name(const std::string& name) {
  Use use(id_of_name_);
  use->bind(name);
  CODEXOS_ASSIGN(const bool found, use->step());
  return found ? use->column_text() : std::string();
}

Result<TaskRow> StoreImpl::find_task(const std::string& name_or_prefix) {
  const std::string& what = name_or_prefix;
  std::vector<std::string> ids;
  if (looks_like_id_prefix(what)) {
    Use use(ids_by_prefix_);
    use->bind(what);
    use->bind(what + "~");  // behind every character of an id
    for (;;) {
      CODEXOS_ASSIGN(const bool more, use->step());
      if (!more) break;
      ids.push_back(use->column_text());
    }
    if (ids.size() == 1 && ids.front() == what) return load_task(what);
  }
  // A name is meant before a prefix: who gave the name chose it.
  CODEXOS_ASSIGN(const std::string named, id_of_name(what));
  if (!named.empty()) return load_task(named);
  if (ids.size() == 1) return load_task(ids.front());
  if (ids.empty())
    return Error{Code::not_found, "no task \"" + what + "\"", "codexos ps -a lists all tasks"};
  std::string all;
  for (size_t i = 0; i < ids.size() && i < 5; ++i) all += (i == 0 ? "" : ", ") + ids[i];
  if (ids.size() > 5) all += ", …";
  return Error{Code::ambiguous, "\"" + what + "\" fits several tasks: " + all,
               "give more characters of the id"};
}

Result<std::vector<TaskRow>> StoreImpl::list_tasks(const TaskQuery& q) {
  int64_t below = INT64_MAX;
  if (!q.cursor.empty()) {
    const char* end = q.cursor.data() + q.cursor.size();
    const auto [stop, err] = std::from_chars(q.cursor.data(), end, below);
    if (err != std::errc() || stop != end)
      return Error{Code::invalid, "the cursor is not from an earlier page", {}};
  }
  Statement& all = q.workspace.empty() ? list_all_ : list_workspace_;
  Statement& open = q.workspace.empty() ? list_open_ : list_workspace_open_;
  Use use(q.all ? all : open);
  use->bind(below);
  use->bind(int64_t{std::clamp(q.limit, 1, kMaxPage)});
  if (!q.workspace.empty()) use->bind(q.workspace);
  return read_tasks(*use);
}

Result<std::vector<TaskRow>> StoreImpl::unfinished_tasks() {
  Use use(unfinished_);
  return read_tasks(*use);
}

Result<std::vector<TaskRow>> StoreImpl::tasks_with_layers() {
  Use use(with_layers_);
  return read_tasks(*use);
}

Result<std::optional<TaskRow>> StoreImpl::last_task(const std::string& workspace,
                                                    bool waiting_only) {
  Use use(waiting_only ? last_waiting_ : last_task_);
  use->bind(workspace);
  CODEXOS_ASSIGN(auto rows, read_tasks(*use));
  if (rows.empty()) return std::optional<TaskRow>();
  return std::optional<TaskRow>(std::move(rows.front()));
}

// --- events ---

Status StoreImpl::append_event(wire::Event& e) {
  CODEXOS_TRY(begin_write());
  {
    Use use(next_seq_);
    use->bind(e.task);
    CODEXOS_TRY(use->step());
    e.seq = use->column_int();
  }
  Use use(insert_event_);
  use->bind(next_order_);
  use->bind(e.task);
  use->bind(e.seq);
  use->bind(name_of(e.type));
  use->bind(json::encode(e));
  auto done = write(*use);
  if (done.ok()) {
    ++next_order_;
    return {};
  }
  const Code why = done.error().code;
  if (why == Code::conflict)
    return Error{why, "task " + e.task + " has ended: there is a task.ended already", {}};
  if (why == Code::not_found) return Error{why, "no task " + e.task, {}};
  return done;
}

Result<std::vector<Store::StoredEvent>> StoreImpl::events(const std::string& task, int64_t since,
                                                          int limit) {
  Use use(task.empty() ? events_of_all_ : events_of_task_);
  if (!task.empty()) use->bind(task);
  use->bind(since);
  use->bind(int64_t{std::clamp(limit, 1, kMaxEvents)});
  std::vector<StoredEvent> out;
  for (;;) {
    CODEXOS_ASSIGN(const bool more, use->step());
    if (!more) return out;
    StoredEvent stored;
    stored.order = use->column_int();
    auto event = json::decode<wire::Event>(use->column_text(), json::Unknown::ignore);
    if (!event.ok())
      return std::move(event).error().during("read event " + std::to_string(stored.order));
    stored.event = *std::move(event);
    stored.event.ord = stored.order;
    out.push_back(std::move(stored));
  }
}

// --- idempotency ---

Result<std::optional<std::string>> StoreImpl::find_idempotent(uint32_t uid, const std::string& key,
                                                              const std::string& request_hash) {
  Use use(find_key_);
  use->bind(int64_t{uid});
  use->bind(key);
  CODEXOS_ASSIGN(const bool found, use->step());
  if (!found) return std::optional<std::string>();
  if (use->column_text() != request_hash)
    return Error{Code::conflict, "this Idempotency-Key was used for another request",
                 "use a new key for a new request"};
  return std::optional<std::string>(use->column_text());
}

Status StoreImpl::put_idempotent(uint32_t uid, const std::string& key,
                                 const std::string& request_hash, const std::string& task) {
  CODEXOS_TRY(begin_write());
  Use use(put_key_);
  use->bind(int64_t{uid});
  use->bind(key);
  use->bind(request_hash);
  use->bind(task);
  use->bind(now_us());
  return write(*use);
}

}  // namespace

std::string cursor_after(const TaskRow& last) { return std::to_string(last.n); }

Result<std::unique_ptr<Store>> Store::open(const std::string& dir) {
  auto store = std::make_unique<StoreImpl>();
  CODEXOS_TRY(store->open(dir));
  return std::unique_ptr<Store>(std::move(store));
}

}  // namespace codexos::daemon
