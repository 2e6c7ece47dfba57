// SPDX-License-Identifier: Apache-2.0
#include "daemon/store/trust_list.h"

#include "core/json/json.h"

namespace codexos::daemon {
namespace {

#define TRUST_COLUMNS "path, sha256, dev, ino, widens_json, at_us"

struct Texts {
  std::vector<std::string> list;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("list", s.list);
  }
};

}  // namespace

Status TrustList::prepare(const Database& db, std::function<Status()> begin_write,
                          std::function<Status(Statement&)> write) {
  begin_write_ = std::move(begin_write);
  write_ = std::move(write);
  return prepare_rows(db, {
                              {put_, "insert or replace into trust (" TRUST_COLUMNS
                                     ") values (?1, ?2, ?3, ?4, ?5, ?6)"},
                              {remove_, "delete from trust where path = ?1"},
                              {find_, "select " TRUST_COLUMNS " from trust where path = ?1"},
                              {all_, "select " TRUST_COLUMNS " from trust order by path"},
                          });
}

Status TrustList::put(const TrustRow& row) {
  CODEXOS_TRY(begin_write_());
  Use use(put_);
  use->bind(row.path);
  use->bind(row.sha256);
  use->bind(static_cast<int64_t>(row.dev));
  use->bind(static_cast<int64_t>(row.ino));
  use->bind(json::encode(Texts{row.widens}));
  use->bind(row.at_us);
  return write_(*use);
}

Status TrustList::remove(const std::string& path) {
  CODEXOS_TRY(begin_write_());
  Use use(remove_);
  use->bind(path);
  return write_(*use);
}

Result<std::vector<TrustRow>> TrustList::read(Statement& s) {
  std::vector<TrustRow> out;
  for (;;) {
    CODEXOS_ASSIGN(const bool more, s.step());
    if (!more) return out;
    TrustRow row;
    row.path = s.column_text();
    row.sha256 = s.column_text();
    row.dev = static_cast<uint64_t>(s.column_int());
    row.ino = static_cast<uint64_t>(s.column_int());
    CODEXOS_ASSIGN(Texts widens, json::decode<Texts>(s.column_text(), json::Unknown::ignore));
    row.widens = std::move(widens.list);
    row.at_us = s.column_int();
    out.push_back(std::move(row));
  }
}

Result<std::optional<TrustRow>> TrustList::find(const std::string& path) {
  Use use(find_);
  use->bind(path);
  CODEXOS_ASSIGN(auto rows, read(*use));
  if (rows.empty()) return std::optional<TrustRow>();
  return std::optional<TrustRow>(std::move(rows.front()));
}

Result<std::vector<TrustRow>> TrustList::all() {
  Use use(all_);
  return read(*use);
}

}  // namespace codexos::daemon
