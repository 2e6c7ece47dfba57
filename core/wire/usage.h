// SPDX-License-Identifier: Apache-2.0
// What was spent on models, as lists.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/fields.h"
#include "core/wire/budget.h"

namespace codexos::wire {

/// One request to a model.
struct ModelCharge {
  std::string at;
  std::string provider, model;
  std::string state;
  uint64_t tokens = 0, cost_micros = 0;
  uint64_t input_tokens = 0, cached_input_tokens = 0, output_tokens = 0;
  bool estimated = false;
  int32_t status = 0;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("at", s.at, "when it was made, RFC 3339");
    v("provider", s.provider, "whose model");
    v("model", s.model, "which model");
    v("state", s.state,
      "reserved, settled, or lost: the daemon died in between, so the reservation counts");
    v("tokens", s.tokens, "tokens that count");
    v("cost_micros", s.cost_micros, "cost that counts, millionths of a US dollar");
    v("input_tokens", s.input_tokens, "tokens sent, cached ones among them");
    v("cached_input_tokens", s.cached_input_tokens, "those that came from a cache");
    v("output_tokens", s.output_tokens, "tokens that the model wrote");
    v("estimated", s.estimated, "the provider did not tell: counted from bytes");
    v("status", s.status, "HTTP status that the task got, 0: it had gone");
  }
};

struct ModelCharges {  // GET /v1/tasks/{id}/charges
  std::string task;
  std::vector<Budget> budgets;
  std::vector<ModelCharge> charges;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("task", s.task, "task id");
    v("budgets", s.budgets, "in which its requests count");
    v("charges", s.charges, "its requests, oldest first, at most 1000");
  }
};

struct UsageLine {
  std::string key;
  ModelUse used;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("key", s.key, "the task, agent, model or day");
    v("used", s.used, "what it came to");
  }
};

struct UsageReport {  // GET /v1/usage
  std::string by;
  std::string since;
  std::vector<UsageLine> lines;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("by", s.by, "task, agent, model or day");
    v("since", s.since, "RFC 3339; empty: all that there is");
    v("lines", s.lines, "what each came to");
  }
};

}  // namespace codexos::wire
