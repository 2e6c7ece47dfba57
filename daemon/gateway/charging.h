// SPDX-License-Identifier: Apache-2.0
// What a request may use at most, before anybody is asked for it. Pure.
#pragma once

#include <cstddef>
#include <string_view>

#include "daemon/gateway/ledger.h"
#include "daemon/gateway/prices.h"
#include "daemon/gateway/wires.h"

namespace codexos::daemon {

/// Of a model of which nothing is known.
inline constexpr uint64_t kUnknownOutput = 32'768, kUnknownContext = 1'000'000;

/// A tier that costs no more than what the price table says.
bool is_cheap_tier(std::string_view tier);

/// Tokens and money of an upper bound; task, provider and model are left to the caller. `limits`:
/// what the model takes and gives; null: not known. `price`: what it costs; null: not known, and
/// the charge is marked so.
Charge charge_of(const ModelRequest& r, size_t body_bytes, const ModelPrice* limits,
                 const ModelPrice* price);

/// Where a budget applies, what the provider did not tell was all that was reserved: else a
/// program would go before it is told. `u`: what is known; `told_input`: that of its input is what
/// the provider told.
ModelUsage usage_of_leaver(ModelUsage u, bool told_input, const Charge& charge, const Grant& grant,
                           const ModelPrice* price);

}  // namespace codexos::daemon
