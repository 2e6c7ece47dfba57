// SPDX-License-Identifier: Apache-2.0
// What models may cost and did cost. Money is counted in whole millionths of a US dollar, never in
// floating point: sums stay exact.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "core/base/fields.h"

namespace codexos::wire {

/// Of all exchanges with models that went through the gateway.
struct ModelUse {
  uint64_t requests = 0;
  uint64_t input_tokens = 0;
  uint64_t cached_input_tokens = 0;
  uint64_t output_tokens = 0;
  uint64_t cost_micros = 0;
  uint64_t estimated = 0;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("requests", s.requests, "requests to models");
    v("input_tokens", s.input_tokens, "tokens sent, cached ones among them");
    v("cached_input_tokens", s.cached_input_tokens, "those that came from a cache");
    v("output_tokens", s.output_tokens, "tokens that models wrote, reasoning among them");
    v("cost_micros", s.cost_micros, "cost, millionths of a US dollar");
    v("estimated", s.estimated, "requests whose tokens the provider did not tell");
  }
};

/// The most that something may use; 0: no limit.
struct BudgetLimits {
  uint64_t max_tokens = 0;
  uint64_t max_requests = 0;
  uint64_t max_cost_micros = 0;
  bool any() const { return max_tokens != 0 || max_requests != 0 || max_cost_micros != 0; }
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("max_tokens", s.max_tokens, "tokens in both directions together, 0: no limit");
    v("max_requests", s.max_requests, "requests to models, 0: no limit");
    v("max_cost_micros", s.max_cost_micros, "cost, millionths of a US dollar, 0: no limit");
  }
};

enum class BudgetPeriod : int { total, day, month };
constexpr auto enum_names(BudgetPeriod) {
  return std::array{EnumName{BudgetPeriod::total, "total"}, EnumName{BudgetPeriod::day, "day"},
                    EnumName{BudgetPeriod::month, "month"}};
}

/// A budget beside those of single tasks, and how much of it is used.
struct Budget {
  std::string scope;  // "tenant", "user:UID", "agent:NAME", "task:ID"
  BudgetPeriod period = BudgetPeriod::total;
  BudgetLimits limits;
  uint32_t soft_percent = 80;
  uint64_t tokens = 0, requests = 0, cost_micros = 0;  // with what is reserved
  uint64_t reserved_tokens = 0, reserved_cost_micros = 0;
  std::string since;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("scope", s.scope, "tenant, user:UID, agent:NAME or task:ID");
    v("period", s.period, "what is counted together: all, a day or a month (UTC)");
    v("limits", s.limits, "the most");
    v("soft_percent", s.soft_percent, "from how much of it on it is told");
    v("tokens", s.tokens, "tokens used and reserved");
    v("requests", s.requests, "requests made");
    v("cost_micros", s.cost_micros, "cost used and reserved, millionths of a US dollar");
    v("reserved_tokens", s.reserved_tokens, "those of requests that are under way");
    v("reserved_cost_micros", s.reserved_cost_micros, "that of requests that are under way");
    v("since", s.since, "when the period began, RFC 3339; empty: total");
  }
};

struct BudgetList {
  std::vector<Budget> budgets;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("budgets", s.budgets, "by scope and period");
  }
};

struct BudgetPut {  // PUT /v1/budgets
  std::string scope;
  BudgetPeriod period = BudgetPeriod::total;
  BudgetLimits limits;
  uint32_t soft_percent = 80;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("scope", s.scope, "tenant, user:UID or agent:NAME");
    v("period", s.period, "what is counted together");
    v("limits", s.limits, "the most; all 0: the budget goes");
    v("soft_percent", s.soft_percent, "from how much of it on it is told, 1 to 100");
  }
};

}  // namespace codexos::wire
