// SPDX-License-Identifier: Apache-2.0
// Budgets and charges (schema/sql/0009_budgets.sql). In the tenant's database and its transaction.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/wire/budget.h"
#include "daemon/store/sqlite.h"

namespace codexos::daemon {

struct BudgetRow {
  std::string scope;
  wire::BudgetPeriod period = wire::BudgetPeriod::total;
  wire::BudgetLimits limits;
  uint32_t soft_percent = 80;
};

struct ChargeRow {
  uint64_t id = 0;
  std::string task, agent;
  uint32_t uid = 0;
  std::string provider, model;
  int64_t at_us = 0;
  std::string state = "reserved";
  uint64_t tokens = 0, cost_micros = 0;
  uint64_t input = 0, cached_input = 0, output = 0;
  bool estimated = false;
  int status = 0;
};

/// What charges come to.
struct SpentRow {
  std::string key;  // by what they were put together
  uint32_t uid = 0;
  uint64_t requests = 0, tokens = 0, cost_micros = 0;
  uint64_t input = 0, cached_input = 0, output = 0;
};

class BudgetTable {
 public:
  /// As Journal's.
  Status prepare(const Database& db, std::function<Status()> begin_write,
                 std::function<Status(Statement&)> write);

  Status put(const BudgetRow& row);
  Status remove(const std::string& scope, wire::BudgetPeriod period);
  Result<std::vector<BudgetRow>> all();  // by scope and period

  Status insert(const ChargeRow& row);
  Status remove(uint64_t id);
  /// Everything that changes when it is settled.
  Status settle(const ChargeRow& row);
  /// Those that an earlier daemon left reserved; how many.
  Result<uint64_t> lose_reserved();
  Result<uint64_t> last_id();
  Result<std::vector<ChargeRow>> of_task(const std::string& task, int limit);  // oldest first

  /// Since then, by agent and uid.
  Result<std::vector<SpentRow>> by_spender(int64_t since_us);
  Result<SpentRow> by_task(const std::string& task);
  /// `by`: task, agent, model, day. Error invalid: another one.
  Result<std::vector<SpentRow>> usage(std::string_view by, int64_t since_us);

 private:
  static Result<std::vector<SpentRow>> read_spent(Statement& s);

  std::function<Status()> begin_write_;
  std::function<Status(Statement&)> write_;
  Statement put_, remove_, all_, insert_, drop_, settle_, count_reserved_, lose_, last_id_,
      of_task_, by_spender_, by_one_task_, usage_task_, usage_agent_, usage_model_, usage_day_;
};

}  // namespace codexos::daemon
