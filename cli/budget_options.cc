// SPDX-License-Identifier: Apache-2.0
#include "cli/budget_options.h"

#include <fmt/core.h>

#include "cli/values.h"
#include "core/base/money.h"

namespace codexos::cli {

Status fill_budget(const Invocation& inv, wire::BudgetLimits& limits) {
  struct Row {
    const char* key;
    uint64_t wire::BudgetLimits::*amount;
    Result<uint64_t> (*parse)(std::string_view);
  };
  static constexpr Row kRows[] = {{"max-tokens", &wire::BudgetLimits::max_tokens, parse_number},
                                  {"max-requests", &wire::BudgetLimits::max_requests, parse_number},
                                  {"max-cost", &wire::BudgetLimits::max_cost_micros, parse_money}};
  for (const Row& row : kRows) {
    if (!inv.has(row.key)) continue;
    auto n = row.parse(inv.value(row.key));
    if (!n.ok()) return std::move(n).error().during(std::string("--") + row.key);
    if (*n == 0) return Error{Code::invalid, fmt::format("--{} must be more than 0", row.key), {}};
    limits.*(row.amount) = *n;
  }
  return {};
}

}  // namespace codexos::cli
