// SPDX-License-Identifier: Apache-2.0
// The seam to the budgets: reserve, forward, settle. The gateway calls it in the relay's thread and
// is answered there; what stands behind it commits in the daemon's loop. Money is integer
// micro-USD, never a floating point number.
//
// A reservation is an upper bound of what the exchange can use, so budgets that are checked against
// spent + reserved cannot be overshot. Whoever has an id calls settle() with it exactly once; an id
// that was never settled (a crash) counts as spent in full.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "core/base/error.h"
#include "daemon/gateway/usage.h"

namespace codexos::daemon {

struct Charge {
  std::string task;
  std::string provider;
  std::string model;  // that the provider is asked for
  uint64_t requests = 1;
  uint64_t max_input_tokens = 0;
  uint64_t max_output_tokens = 0;
  /// Fewer are of no use: a budget that has not even these left refuses.
  uint64_t least_output_tokens = 0;
  uint64_t max_cost_micros = 0;    // of all of it
  uint64_t input_cost_micros = 0;  // of that, for the input: what is left buys output
  uint64_t output_price = 0;       // micro-USD for a million output tokens
  bool priced = true;              // false: no price is known, and its owner allows that
  bool countable = true;           // false: nobody can say what it uses
  /// Where providers.yaml would go with it when money gets short; empty: nowhere, or this is it.
  std::string downgrade;
};

struct Grant {
  uint64_t id = 0;
  /// least_output_tokens to max_output_tokens of the charge: the request is clamped to it.
  uint64_t max_output_tokens = 0;
  /// A soft cap was passed: settle this one unused and charge again for that model. The task is
  /// told by the header x-codexos-model. Empty: go on with the model of the charge.
  std::string downgrade_to;
  bool bounded = false;  // a budget of tokens or money applies
  std::string note;      // for the task, in the header x-codexos-note; one line
};

class Ledger {
 public:
  virtual ~Ledger() = default;
  using Done = std::function<void(Result<Grant>)>;
  /// `done` is called once, in the thread of the caller, maybe before reserve() returns. Error
  /// exhausted: a hard cap; its message names scope and amounts, and the task gets it as HTTP 402.
  /// Other errors are told as HTTP 503.
  virtual void reserve(const Charge& charge, Done done) = 0;
  /// What was used; nothing is answered. A usage of zero gives the whole reservation back.
  virtual void settle(uint64_t id, const ModelUsage& usage) = 0;
};

/// How many output tokens of a charge `left_micros` pay for; at most
/// max_output_tokens, 0 when the input alone costs more.
inline uint64_t affordable_output(const Charge& c, uint64_t left_micros) {
  if (left_micros >= c.max_cost_micros) return c.max_output_tokens;
  if (left_micros < c.input_cost_micros) return 0;
  if (c.output_price == 0) return c.max_output_tokens;
  const uint64_t left = left_micros - c.input_cost_micros;
  constexpr uint64_t kMillion = 1'000'000;
  const uint64_t tokens =
      left > UINT64_MAX / kMillion ? UINT64_MAX : left * kMillion / c.output_price;
  return tokens < c.max_output_tokens ? tokens : c.max_output_tokens;
}

}  // namespace codexos::daemon
