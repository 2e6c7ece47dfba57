// SPDX-License-Identifier: Apache-2.0
#include "daemon/store/secret_table.h"

namespace codexos::daemon {

Status SecretTable::prepare(const Database& db, std::function<Status()> begin_write,
                            std::function<Status(Statement&)> write) {
  begin_write_ = std::move(begin_write);
  write_ = std::move(write);
  return prepare_rows(
      db, {
              {put_,
               "insert or replace into secret (name, version, binding_json, sealed, created_us, "
               "changed_us) values (?1, ?2, ?3, ?4, ?5, ?6)"},
              {remove_, "delete from secret where name = ?1"},
              {all_,
               "select name, version, binding_json, sealed, created_us, changed_us from secret "
               "order by name"},
          });
}

Status SecretTable::put(const SecretRow& row) {
  CODEXOS_TRY(begin_write_());
  Use use(put_);
  use->bind(row.name);
  use->bind(static_cast<int64_t>(row.version));
  use->bind(row.binding_json);
  use->bind(row.sealed);
  use->bind(row.created_us);
  use->bind(row.changed_us);
  return write_(*use);
}

Status SecretTable::remove(const std::string& name) {
  CODEXOS_TRY(begin_write_());
  Use use(remove_);
  use->bind(name);
  return write_(*use);
}

Result<std::vector<SecretRow>> SecretTable::all() {
  Use use(all_);
  std::vector<SecretRow> out;
  for (;;) {
    CODEXOS_ASSIGN(const bool more, use->step());
    if (!more) return out;
    SecretRow row;
    row.name = use->column_text();
    row.version = static_cast<uint64_t>(use->column_int());
    row.binding_json = use->column_text();
    row.sealed = use->column_text();
    row.created_us = use->column_int();
    row.changed_us = use->column_int();
    out.push_back(std::move(row));
  }
}

}  // namespace codexos::daemon
