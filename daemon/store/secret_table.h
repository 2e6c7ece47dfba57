// SPDX-License-Identifier: Apache-2.0
// The vault's rows (schema/sql/0008_secrets.sql), sealed as they are. In the
// tenant's database and its transaction.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "daemon/store/sqlite.h"

namespace codexos::daemon {

struct SecretRow {
  std::string name;
  uint64_t version = 0;
  std::string binding_json;
  std::string sealed;  // hexadecimal
  int64_t created_us = 0;
  int64_t changed_us = 0;
};

class SecretTable {
 public:
  /// As Journal's.
  Status prepare(const Database& db, std::function<Status()> begin_write,
                 std::function<Status(Statement&)> write);

  Status put(const SecretRow& row);
  Status remove(const std::string& name);
  Result<std::vector<SecretRow>> all();  // by name

 private:
  std::function<Status()> begin_write_;
  std::function<Status(Statement&)> write_;
  Statement put_, remove_, all_;
};

}  // namespace codexos::daemon
