// SPDX-License-Identifier: Apache-2.0
// Migrations: schema/sql/NNNN_name.sql, compiled in by CMake. They are only ever appended.
#pragma once

#include <string_view>
#include <vector>

#include "daemon/store/sqlite.h"

namespace codexos::daemon {

struct Migration {
  int version;  // NNNN
  std::string_view name;
  std::string_view sql;
};
/// In order of their versions, which count from 1 without gaps. Generated.
const std::vector<Migration>& migrations();

/// Applies what is missing, each migration in one transaction. Error unavailable: the database
/// (`path` names it in the message) is from a newer version of codexos.
Status migrate(const Database& db, const std::string& path);

}  // namespace codexos::daemon
