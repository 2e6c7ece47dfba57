// SPDX-License-Identifier: Apache-2.0
#include "daemon/gateway/charging.h"

#include <algorithm>
#include <array>

namespace codexos::daemon {
namespace {

constexpr uint64_t kLeastOutput = 1'024;  // a request is not clamped to fewer
constexpr uint64_t kMostOutput = 1'000'000'000;
constexpr std::array<std::string_view, 6> kCheapTiers{"",     "auto",     "default",
                                                      "flex", "standard", "standard_only"};

uint64_t output_bound(const ModelRequest& r, const ModelPrice* limits) {
  if (r.endpoint == Endpoint::embeddings) return 0;
  const uint64_t most =
      limits != nullptr && limits->max_output != 0 ? limits->max_output : UINT64_MAX;
  const uint64_t unsaid = most == UINT64_MAX ? kUnknownOutput : std::min(most, kUnknownOutput * 4);
  return std::min({r.max_output.value_or(unsaid), most, kMostOutput});
}

}  // namespace

bool is_cheap_tier(std::string_view tier) {
  return std::find(kCheapTiers.begin(), kCheapTiers.end(), tier) != kCheapTiers.end();
}

Charge charge_of(const ModelRequest& r, size_t body_bytes, const ModelPrice* limits,
                 const ModelPrice* price) {
  Charge c;
  c.priced = price != nullptr;
  if (r.endpoint == Endpoint::count_tokens) return c;  // costs nothing
  const uint64_t context =
      limits != nullptr && limits->context != 0 ? limits->context : kUnknownContext;
  c.max_input_tokens = input_bound(r, body_bytes, context);
  const uint64_t output = output_bound(r, limits);
  c.max_output_tokens = output * r.choices;
  c.least_output_tokens = std::min(output, std::max(r.least_output, kLeastOutput)) * r.choices;
  if (price == nullptr) return c;
  c.input_cost_micros = cost_bound(*price, c.max_input_tokens, 0);
  c.max_cost_micros = cost_bound(*price, c.max_input_tokens, c.max_output_tokens);
  c.output_price = std::max(price->prices.output, price->of(c.max_input_tokens).output);
  return c;
}

ModelUsage usage_of_leaver(ModelUsage u, bool told_input, const Charge& charge, const Grant& grant,
                           const ModelPrice* price) {
  if (!grant.bounded) return u;
  if (!told_input) u.input = std::max(u.input, charge.max_input_tokens);
  u.output = std::max(u.output, std::min(grant.max_output_tokens, charge.max_output_tokens));
  u.estimated = true;
  if (price != nullptr) u.cost_micros = cost_of(*price, u);
  return u;
}

}  // namespace codexos::daemon
