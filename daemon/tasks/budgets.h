// SPDX-License-Identifier: Apache-2.0
// Budgets that cannot be overshot. A request to a model is forwarded only after an upper bound of
// what it can use was reserved, in one transaction, in every budget that it counts in: of its task,
// its agent, its user and the tenant, each in all, for the day and for the month (UTC). When it has
// ended what it used takes the reservation's place. A daemon that dies in between finds the
// reservation again and counts it as spent in full.
//
// What is used so far is kept in memory beside the database, since this is the only writer; it is
// read once, when the first request or question comes.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/wire/budget.h"
#include "daemon/gateway/ledger.h"
#include "daemon/store/store.h"

namespace codexos::daemon {

/// Who pays for a request.
struct Spender {
  std::string task;
  std::string agent;  // empty: none
  uint32_t uid = 0;
};

struct Spent {
  uint64_t requests = 0, tokens = 0, cost_micros = 0;
};

/// One budget in which a request counts, as it stands.
struct BudgetView {
  std::string scope;
  wire::BudgetPeriod period = wire::BudgetPeriod::total;
  wire::BudgetLimits limits;
  uint32_t soft_percent = 80;
  Spent spent;
};

/// How much output of a charge the budget has room for. Error exhausted: not even the least.
Result<uint64_t> room_for(const BudgetView& budget, const Charge& charge);
/// Of a charge with that much output; rounded up.
uint64_t cost_of(const Charge& charge, uint64_t output_tokens);
/// What is nearly used up: "tokens", "requests", "cost"; empty: nothing.
std::string nearly_used(const BudgetView& budget);

/// A soft cap that was passed, told once.
struct SoftCap {
  std::string limit;  // tokens, requests, cost
  std::string scope;
  uint64_t used = 0, most = 0;
};

struct Reserved {
  Grant grant;
  std::vector<SoftCap> soft;
};

class Budgets {
 public:
  explicit Budgets(Store& store) : store_(store) {}

  /// At the daemon's start: what an earlier one left reserved counts as spent. How many.
  Result<uint64_t> recover() { return store_.budgets().lose_reserved(); }

  /// In the turn's transaction; good when that is committed. Error exhausted: which budget has no
  /// room.
  Result<Reserved> reserve(const Spender& who, const Charge& charge, int64_t now_us);
  /// What the request used. Nothing: no such reservation. It counts in the periods in which it was
  /// reserved.
  Result<std::optional<ChargeRow>> settle(uint64_t id, const ModelUsage& usage);
  /// The turn of this reservation was rolled back.
  void cancel(uint64_t id) {
    open_.erase(id);
    loaded_ = false;
  }

  /// All limits 0: the budget goes. Error invalid: no such scope.
  Status set(const wire::BudgetPut& body);
  Result<std::vector<wire::Budget>> list(int64_t now_us);

 private:
  struct Periods {
    Spent total, day, month;
  };
  Status load(int64_t now_us);
  Status know_task(const std::string& task);
  std::vector<BudgetView> views_of(const std::vector<std::string>& scopes) const;
  /// In all its scopes, in the periods that it was made in.
  void count(const ChargeRow& row, const Spent& before, const Spent& after);

  Store& store_;
  bool loaded_ = false;
  int64_t day_us_ = 0, month_us_ = 0;  // when they began
  std::map<std::string, Periods> spent_;
  std::map<std::pair<std::string, int>, BudgetRow> limits_;
  std::map<uint64_t, ChargeRow> open_;
  std::set<std::string> told_;  // soft caps
  uint64_t last_id_ = 0;
};

/// When the UTC day and month of that time began.
int64_t day_start_us(int64_t at_us);
int64_t month_start_us(int64_t at_us);

}  // namespace codexos::daemon
