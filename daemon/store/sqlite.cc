// SPDX-License-Identifier: Apache-2.0
#include "daemon/store/sqlite.h"

#include <fcntl.h>
#include <sqlite3.h>

#include <array>
#include <utility>

#include "core/os/file.h"

namespace codexos::daemon {
namespace {

struct SqliteRow {
  int result;  // extended or primary result code
  Code code;
};
constexpr std::array kResults{
    SqliteRow{SQLITE_CONSTRAINT_FOREIGNKEY, Code::not_found},
    SqliteRow{SQLITE_CONSTRAINT, Code::conflict},
    SqliteRow{SQLITE_FULL, Code::no_space},
    SqliteRow{SQLITE_BUSY, Code::unavailable},
    SqliteRow{SQLITE_LOCKED, Code::unavailable},
    SqliteRow{SQLITE_READONLY, Code::unavailable},
    SqliteRow{SQLITE_IOERR, Code::unavailable},
    SqliteRow{SQLITE_CORRUPT, Code::unavailable},
    SqliteRow{SQLITE_CANTOPEN, Code::unavailable},
    SqliteRow{SQLITE_NOTADB, Code::unavailable},
    SqliteRow{SQLITE_NOMEM, Code::exhausted},
};

Code code_of(int result) {
  for (const auto& row : kResults)
    if (row.result == result || row.result == (result & 0xff)) return row.code;
  return Code::internal;
}

Error error_of(sqlite3* db, std::string_view what) {
  return Error{code_of(sqlite3_errcode(db)),
               std::string("database: ") + std::string(what) + ": " + sqlite3_errmsg(db),
               {}};
}

}  // namespace

// --- Database ---

Database::Database(Database&& o) noexcept : db_(std::exchange(o.db_, nullptr)) {}
Database& Database::operator=(Database&& o) noexcept {
  std::swap(db_, o.db_);
  return *this;
}
Database::~Database() { sqlite3_close_v2(db_); }

Result<Database> Database::open(const std::string& path) {
  // Made here and not by sqlite, for its mode: -wal and -shm take theirs from it.
  CODEXOS_TRY(open_file(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
  Database db;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  if (sqlite3_open_v2(path.c_str(), &db.db_, flags, nullptr) != SQLITE_OK)
    return db.error("open " + path);
  return db;
}

Status Database::exec(SqlText sql) const { return exec_script(sql.get()); }

Status Database::exec_script(std::string_view sql) const {
  const std::string text(sql);
  if (sqlite3_exec(db_, text.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK)
    return error(text.substr(0, text.find('\n')));
  return {};
}

Result<Statement> Database::prepare(SqlText sql) const {
  Statement s;
  s.db_ = db_;
  if (sqlite3_prepare_v3(db_, sql.get(), -1, SQLITE_PREPARE_PERSISTENT, &s.stmt_, nullptr) !=
      SQLITE_OK)
    return error(std::string("prepare ") + sql.get());
  return s;
}

Result<int64_t> Database::query_int(SqlText sql) const {
  CODEXOS_ASSIGN(Statement s, prepare(sql));
  CODEXOS_ASSIGN(const bool row, s.step());
  if (!row) return Error{Code::internal, std::string("no row from ") + sql.get(), {}};
  return s.column_int();
}

bool Database::in_transaction() const { return sqlite3_get_autocommit(db_) == 0; }

int64_t Database::total_changes() const { return sqlite3_total_changes64(db_); }

void Database::keep_wal() const {
  int on = 1;
  sqlite3_file_control(db_, "main", SQLITE_FCNTL_PERSIST_WAL, &on);
}

Error Database::error(std::string_view what) const { return error_of(db_, what); }

// --- Statement ---

Statement::Statement(Statement&& o) noexcept
    : db_(o.db_),
      stmt_(std::exchange(o.stmt_, nullptr)),
      parameter_(o.parameter_),
      column_(o.column_) {}
Statement& Statement::operator=(Statement&& o) noexcept {
  std::swap(db_, o.db_);
  std::swap(stmt_, o.stmt_);
  std::swap(parameter_, o.parameter_);
  std::swap(column_, o.column_);
  return *this;
}
Statement::~Statement() { sqlite3_finalize(stmt_); }

void Statement::bind(int64_t x) {
  CODEXOS_CHECK(sqlite3_bind_int64(stmt_, ++parameter_, x) == SQLITE_OK);
}
void Statement::bind(std::string_view text) {
  // A view may have no data; sqlite would take that for null.
  CODEXOS_CHECK(sqlite3_bind_text64(stmt_, ++parameter_, text.empty() ? "" : text.data(),
                                    text.size(), SQLITE_TRANSIENT, SQLITE_UTF8) == SQLITE_OK);
}
void Statement::bind_null() { CODEXOS_CHECK(sqlite3_bind_null(stmt_, ++parameter_) == SQLITE_OK); }

Result<bool> Statement::step() {
  column_ = 0;
  const int r = sqlite3_step(stmt_);
  if (r == SQLITE_ROW) return true;
  if (r == SQLITE_DONE) return false;
  return error_of(db_, "run statement");
}

Status Statement::run() {
  CODEXOS_ASSIGN(const bool row, step());
  CODEXOS_CHECK(!row);
  return {};
}

int64_t Statement::column_int() { return sqlite3_column_int64(stmt_, column_++); }
std::string Statement::column_text() {
  const auto* text = sqlite3_column_text(stmt_, column_);
  const int size = sqlite3_column_bytes(stmt_, column_++);
  if (text == nullptr) return {};
  return std::string(reinterpret_cast<const char*>(text), static_cast<size_t>(size));
}
bool Statement::column_is_null() const {
  return sqlite3_column_type(stmt_, column_) == SQLITE_NULL;
}

std::string Statement::parameter_name(int index) const {
  const char* name = sqlite3_bind_parameter_name(stmt_, index);
  return name == nullptr ? "" : name;
}
std::string Statement::column_name(int index) const {
  const char* name = sqlite3_column_name(stmt_, index);
  return name == nullptr ? "" : name;
}
int Statement::parameter_count() const { return sqlite3_bind_parameter_count(stmt_); }
int Statement::column_count() const { return sqlite3_column_count(stmt_); }

void Statement::reset() {
  sqlite3_reset(stmt_);
  sqlite3_clear_bindings(stmt_);
  parameter_ = 0;
  column_ = 0;
}

Status prepare_rows(const Database& db, std::initializer_list<StatementRow> rows) {
  for (const StatementRow& row : rows) {
    CODEXOS_ASSIGN(row.statement, db.prepare(row.sql));
  }
  return {};
}

}  // namespace codexos::daemon
