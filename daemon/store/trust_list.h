// SPDX-License-Identifier: Apache-2.0
// Which projects' .codexos.yaml may widen what their tasks may do: the user said so, of this
// content in this folder (`codexos trust`). In the tenant's database and its transaction.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "daemon/store/sqlite.h"

namespace codexos::daemon {

struct TrustRow {
  std::string path;    // of the file, resolved
  std::string sha256;  // of its content
  uint64_t dev = 0;    // of the folder it lies in: another folder at that path is not meant
  uint64_t ino = 0;
  std::vector<std::string> widens;  // what the user was told that it widens
  int64_t at_us = 0;
};

class TrustList {
 public:
  /// As Journal's.
  Status prepare(const Database& db, std::function<Status()> begin_write,
                 std::function<Status(Statement&)> write);

  Status put(const TrustRow& row);
  Status remove(const std::string& path);
  Result<std::optional<TrustRow>> find(const std::string& path);
  Result<std::vector<TrustRow>> all();  // by path

 private:
  static Result<std::vector<TrustRow>> read(Statement& s);

  std::function<Status()> begin_write_;
  std::function<Status(Statement&)> write_;
  Statement put_, remove_, find_, all_;
};

}  // namespace codexos::daemon
