// SPDX-License-Identifier: Apache-2.0
// A thin face over sqlite3(3): an owned database, prepared statements, errors with words. SQL is
// taken as SqlText only, which can be made from literals alone: injection does not compile.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/error.h"

struct sqlite3;
struct sqlite3_stmt;

namespace codexos::daemon {

class SqlText {
 public:
  consteval SqlText(const char* literal) : text_(literal) {}  // NOLINT: implicit on purpose
  constexpr const char* get() const { return text_; }

 private:
  const char* text_;
};

class Statement;

class Database {
 public:
  Database() = default;
  Database(Database&& o) noexcept;
  Database& operator=(Database&& o) noexcept;
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;
  ~Database();

  /// Opens or creates the file with mode 0600, for one thread.
  static Result<Database> open(const std::string& path);
  Status exec(SqlText sql) const;
  /// Several statements that were compiled in as a migration; nothing else may come here.
  Status exec_script(std::string_view sql) const;
  Result<Statement> prepare(SqlText sql) const;
  /// A pragma or query that gives one integer.
  Result<int64_t> query_int(SqlText sql) const;
  bool in_transaction() const;
  /// Rows that were written since the database was opened.
  int64_t total_changes() const;
  /// Keeps the WAL file when the database is closed.
  void keep_wal() const;
  /// What went wrong last, with `code` from sqlite's result code.
  Error error(std::string_view what) const;

 private:
  friend class Statement;
  sqlite3* db_ = nullptr;
};

/// A prepared statement. Parameters are bound from 1 on in the order of bind() calls, columns are
/// read from 0 on in the order of column calls. Reset by Use.
class Statement {
 public:
  Statement() = default;
  Statement(Statement&& o) noexcept;
  Statement& operator=(Statement&& o) noexcept;
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;
  ~Statement();

  void bind(int64_t x);
  void bind(std::string_view text);  // copied by sqlite
  void bind_null();
  /// True: there is a row. Columns are then read from the first.
  Result<bool> step();
  /// Steps a statement that gives no rows.
  Status run();
  int64_t column_int();
  std::string column_text();
  bool column_is_null() const;  // the next column; does not go on
  void skip_column() { ++column_; }

  std::string parameter_name(int index) const;  // from 1, with its colon
  std::string column_name(int index) const;     // from 0
  int parameter_count() const;
  int column_count() const;
  void reset();

 private:
  friend class Database;
  sqlite3* db_ = nullptr;  // not owned
  sqlite3_stmt* stmt_ = nullptr;
  int parameter_ = 0;
  int column_ = 0;
};

/// One row of a table of statements.
struct StatementRow {
  Statement& statement;
  SqlText sql;
};
/// Error: the first that does not fit the schema.
Status prepare_rows(const Database& db, std::initializer_list<StatementRow> rows);

/// Borrows a prepared statement for one use and resets it afterwards, so that no read stays open.
class Use {
 public:
  explicit Use(Statement& s) : s_(s) {}
  ~Use() { s_.reset(); }
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;
  Statement* operator->() { return &s_; }
  Statement& operator*() { return s_; }

 private:
  Statement& s_;
};

}  // namespace codexos::daemon
