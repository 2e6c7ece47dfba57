// SPDX-License-Identifier: Apache-2.0
// What tokens cost. The table is data: prices.yaml beside this file is compiled in, with the date
// it was read off the providers' pages and where; a user's own $XDG_CONFIG_HOME/codexos/prices.yaml
// has the same form and goes first. Written in USD for a million tokens, kept in integer micro-USD.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/base/fields.h"
#include "daemon/gateway/usage.h"

namespace codexos::daemon {

/// "2.50", "0.075", "3": USD, as micro-USD. Error invalid: no such amount, more than six decimals,
/// or above 1000 (so that no sum overflows).
Result<uint64_t> parse_usd(std::string_view text);

/// Micro-USD for a million tokens.
struct TokenPrices {
  uint64_t input = 0;
  uint64_t cached_input = 0;
  uint64_t cache_write = 0;
  uint64_t cache_write_long = 0;
  uint64_t output = 0;
};

struct ModelPrice {
  std::string provider;
  std::string model;  // also names it with a date behind (-2025-08-07, -20250929) or "-latest"
  TokenPrices prices;
  uint64_t above_input = 0;  // a request with more input tokens is priced as `above`, all of it
  TokenPrices above;
  uint64_t context = 0;     // input tokens that it takes; 0: not known
  uint64_t max_output = 0;  // 0: not known

  const TokenPrices& of(uint64_t input_tokens) const {
    return above_input != 0 && input_tokens > above_input ? above : prices;
  }
};

/// As it is written.
struct PricesWritten {
  Scalar input, cached_input, cache_write, cache_write_long, output;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("input", s.input, "USD for a million input tokens");
    v("cached_input", s.cached_input, "of those read from a cache; left out: as input");
    v("cache_write", s.cache_write, "of those written into a cache; left out: as input");
    v("cache_write_long", s.cache_write_long, "of those written for an hour; left out: as those");
    v("output", s.output, "USD for a million output tokens; left out: 0");
  }
};
struct TierWritten : PricesWritten {
  uint64_t input_tokens = 0;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("input_tokens", s.input_tokens, "from how many input tokens on");
    PricesWritten::fields(s, v);
  }
};
struct PriceRowWritten : PricesWritten {
  std::string provider, model;
  std::optional<TierWritten> above;
  uint64_t context = 0, max_output = 0;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("provider", s.provider, "name of the provider");
    v("model", s.model, "name of the model; in a provider's own list also a glob");
    PricesWritten::fields(s, v);
    v("above", s.above, "what all of a request costs that has more input than this");
    v("context", s.context, "input tokens that the model takes");
    v("max_output", s.max_output, "output tokens that it gives at most");
  }
};
/// Error invalid: which field is wrong.
Result<ModelPrice> make_price(const PriceRowWritten& w);

struct PriceTable {
  std::string as_of, source;
  std::vector<ModelPrice> rows;
};
/// Strict; errors begin with file:line.
Result<PriceTable> read_prices(std::string_view text, const std::string& file);
/// prices.yaml.
std::string_view built_in_prices();

/// The row of this model, or null.
const ModelPrice* find_price(const std::vector<ModelPrice>& rows, std::string_view provider,
                             std::string_view model);

/// Micro-USD, rounded up.
uint64_t cost_of(const ModelPrice& p, const ModelUsage& u);
/// What `input` tokens of the dearest kind and `output` tokens cost at most.
uint64_t cost_bound(const ModelPrice& p, uint64_t input, uint64_t output);

}  // namespace codexos::daemon
