// SPDX-License-Identifier: Apache-2.0
#include "daemon/gateway/prices.h"

#include <doctest/doctest.h>

#include "daemon/gateway/ledger.h"

using namespace codexos;
using namespace codexos::daemon;

TEST_CASE("money is read exactly") {
  CHECK(*parse_usd("2.50") == 2500000);
  CHECK(*parse_usd("0.075") == 75000);
  CHECK(*parse_usd("0.000001") == 1);
  CHECK(*parse_usd("1000") == 1000000000);
  for (const char* bad : {"", ".5", "1.", "-1", "1e3", "1000.01", "0.0000001", "1,5", "99999"})
    CHECK_FALSE(parse_usd(bad).ok());
}

TEST_CASE("the table that is compiled in") {
  const auto t = read_prices(built_in_prices(), "prices.yaml");
  REQUIRE_MESSAGE(t.ok(), (t.ok() ? "" : t.error().message));
  CHECK_FALSE(t->as_of.empty());
  CHECK_FALSE(t->source.empty());
  for (const auto& row : t->rows) {
    CHECK_MESSAGE((row.provider == "openai" || row.provider == "anthropic"), row.model);
    CHECK_MESSAGE(row.prices.cached_input <= row.prices.input, row.model);
    CHECK_MESSAGE(find_price(t->rows, row.provider, row.model) == &row, row.model << " twice");
  }
  const auto* gpt = find_price(t->rows, "openai", "gpt-5");
  REQUIRE(gpt != nullptr);
  CHECK(find_price(t->rows, "openai", "gpt-5-2025-08-07") == gpt);
  CHECK(find_price(t->rows, "openai", "gpt-5-pro") == nullptr);
  CHECK(find_price(t->rows, "anthropic", "claude-sonnet-4-5-20250929")->model ==
        "claude-sonnet-4-5");
  CHECK(find_price(t->rows, "anthropic", "claude-sonnet-4-20250514")->model == "claude-sonnet-4");
  CHECK(find_price(t->rows, "work", "gpt-5") == nullptr);
}

TEST_CASE("a wrong row is told with its line") {
  const auto t = read_prices("models:\n  - {provider: p, model: m, input: cheap}\n", "prices.yaml");
  REQUIRE_FALSE(t.ok());
  CHECK(t.error().message.find("prices.yaml:2: field \"input\"") == 0);
  CHECK_FALSE(read_prices("models: [{provider: p, model: m, input: 1, inptu: 2}]", "x").ok());
}

TEST_CASE("cost: kinds of input, tiers, rounding") {
  ModelPrice p;
  p.prices = {3'000'000, 300'000, 3'750'000, 6'000'000, 15'000'000};
  p.above_input = 1000;
  p.above = {6'000'000, 600'000, 7'500'000, 12'000'000, 22'500'000};
  ModelUsage u;
  u.input = 100;
  u.cached_input = 20;
  u.cache_write = 30;
  u.cache_write_long = 10;
  u.output = 10;
  // 50 x 3 + 20 x 0.3 + 20 x 3.75 + 10 x 6 + 10 x 15
  CHECK(cost_of(p, u) == 441);
  u = {};
  u.input = 1;
  u.cached_input = 1;
  CHECK(cost_of(p, u) == 1);  // 0.3, rounded up
  u = {};
  u.input = 1001;
  CHECK(cost_of(p, u) == 6006);
  CHECK(cost_bound(p, 1001, 10) == 1001 * 12 + 225);
  CHECK(cost_bound(p, 1000, 10) == 1000 * 6 + 150);
  u.input = u.output = UINT64_MAX;  // a provider that lies overflows nothing
  CHECK(cost_of(p, u) > 0);
}

TEST_CASE("the bound of a reservation is never below the cost of what it covers") {
  const auto t = read_prices(built_in_prices(), "prices.yaml");
  REQUIRE(t.ok());
  for (const auto& row : t->rows)
    for (uint64_t input : {0UL, 1UL, 999UL, 200000UL, 200001UL, 900000UL})
      for (uint64_t kind = 0; kind < 4; ++kind) {
        ModelUsage u;
        u.input = input;
        if (kind == 1) u.cached_input = input;
        if (kind >= 2) u.cache_write = input;
        if (kind == 3) u.cache_write_long = input;
        u.output = 777;
        CHECK(cost_of(row, u) <= cost_bound(row, input, 777));
        CHECK(cost_of(row, u) <= cost_bound(row, input + 250000, 1000));
      }
}

TEST_CASE("what is left buys so many output tokens") {
  Charge c;
  c.max_output_tokens = 1000;
  c.input_cost_micros = 100;
  c.output_price = 10'000'000;  // 10 micro-USD a token
  c.max_cost_micros = 100 + 10000;
  CHECK(affordable_output(c, 10100) == 1000);
  CHECK(affordable_output(c, 10099) == 999);
  CHECK(affordable_output(c, 110) == 1);
  CHECK(affordable_output(c, 99) == 0);
}
