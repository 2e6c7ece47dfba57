// SPDX-License-Identifier: Apache-2.0
#include "daemon/store/migrate.h"

namespace codexos::daemon {
namespace {

/// The version is written in the same transaction, so that a crash leaves all of it or nothing.
Status apply(const Database& db, const Migration& m) {
  const std::string whole = "begin immediate;\n" + std::string(m.sql) +
                            "\npragma user_version = " + std::to_string(m.version) + ";\ncommit;\n";
  auto done = db.exec_script(whole);
  if (done.ok()) return {};
  if (db.in_transaction()) (void)db.exec("rollback");
  return std::move(done).error().during("migration " + std::string(m.name));
}

}  // namespace

Status migrate(const Database& db, const std::string& path) {
  CODEXOS_ASSIGN(const int64_t present, db.query_int("pragma user_version"));
  const auto known = static_cast<int64_t>(migrations().size());
  if (present > known || present < 0)
    return Error{Code::unavailable,
                 "database " + path + " is from a newer version of codexos (schema " +
                     std::to_string(present) + ", this one knows " + std::to_string(known) + ")",
                 "install the newer version again"};
  for (const Migration& m : migrations())
    if (m.version > present) CODEXOS_TRY(apply(db, m));
  return {};
}

}  // namespace codexos::daemon
