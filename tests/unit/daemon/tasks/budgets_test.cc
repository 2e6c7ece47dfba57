// SPDX-License-Identifier: Apache-2.0
#include "daemon/tasks/budgets.h"

#include <doctest/doctest.h>

#include "core/base/money.h"
#include "tests/unit/temp_dir.h"

using namespace codexos;
using namespace codexos::daemon;

namespace {

constexpr int64_t kNoon = 1'764'158'400'000'000;  // 2025-11-26T12:00:00Z
constexpr int64_t kDay = int64_t{86'400} * 1'000'000;

/// 100 tokens in for 200 micro-dollars, up to `output` out for 4 each.
Charge charge_of(uint64_t output = 50) {
  Charge c;
  c.task = "t";
  c.provider = "p";
  c.model = "m";
  c.max_input_tokens = 100;
  c.max_output_tokens = output;
  c.least_output_tokens = 10;
  c.input_cost_micros = 200;
  c.output_price = 4'000'000;
  c.max_cost_micros = 200 + output * 4;
  return c;
}

ModelUsage usage_of(uint64_t input, uint64_t output, uint64_t cost) {
  ModelUsage u;
  u.input = input;
  u.output = output;
  u.cost_micros = cost;
  u.status = 200;
  return u;
}

struct Desk {
  TempDir dir;
  std::unique_ptr<Store> store;
  std::unique_ptr<Budgets> budgets;
  Desk() { reopen(); }
  void reopen() {
    budgets.reset();
    store.reset();
    auto opened = Store::open(dir.path);
    REQUIRE(opened.ok());
    store = *std::move(opened);
    budgets = std::make_unique<Budgets>(*store);
  }
  void set(const std::string& scope, wire::BudgetPeriod period, wire::BudgetLimits limits) {
    REQUIRE(budgets->set({scope, period, limits, 80}).ok());
  }
  Result<Reserved> reserve(const Charge& c, int64_t at = kNoon, const std::string& agent = "a") {
    return budgets->reserve({c.task, agent, 1000}, c, at);
  }
  wire::Budget view(const std::string& scope, int64_t at = kNoon) {
    const auto all = budgets->list(at);
    REQUIRE(all.ok());
    for (const auto& b : *all)
      if (b.scope == scope) return b;
    return {};
  }
};

}  // namespace

TEST_CASE("money is read and written without a rounding") {
  CHECK(*parse_money("2") == 2'000'000);
  CHECK(*parse_money("$0.000001") == 1);
  CHECK(*parse_money("1.50") == 1'500'000);
  for (const char* text : {"", "$", "-1", "1e3", "1.", ".5", "0.0000001", "1,5", "9999999999"})
    CHECK_FALSE(parse_money(text).ok());
  CHECK(format_money(0) == "$0.00");
  CHECK(format_money(1) == "$0.000001");
  CHECK(format_money(1'500'000) == "$1.50");
  for (const uint64_t n : {uint64_t{7}, uint64_t{123'456'789}, uint64_t{999'999'999'999}})
    CHECK(*parse_money(format_money(n)) == n);
}

TEST_CASE("a charge costs no less than its output does") {
  const Charge c = charge_of();
  CHECK(cost_of(c, 50) == 400);
  CHECK(cost_of(c, 0) == 200);
  CHECK(cost_of(c, 10) == 240);
  Charge odd = c;
  odd.output_price = 1;  // a millionth of a micro-dollar is rounded up
  odd.max_cost_micros = 1000;
  CHECK(cost_of(odd, 1) == 201);
}

TEST_CASE("a budget without limits has room, and one with less clamps the output") {
  BudgetView b;
  CHECK(*room_for(b, charge_of()) == 50);
  b.limits.max_tokens = 130;
  CHECK(*room_for(b, charge_of()) == 30);
  b.spent.tokens = 20;
  CHECK(*room_for(b, charge_of()) == 10);
  b.spent.tokens = 21;
  CHECK(room_for(b, charge_of()).error().code == Code::exhausted);
  b = {};
  b.limits.max_cost_micros = 300;
  CHECK(*room_for(b, charge_of()) == 25);
  b.spent.cost_micros = 61;  // the least output costs 40
  CHECK(room_for(b, charge_of()).error().code == Code::exhausted);
  b.spent.cost_micros = UINT64_MAX;
  CHECK(room_for(b, charge_of()).error().code == Code::exhausted);
  Charge unpriced = charge_of();
  unpriced.priced = false;
  b.spent.cost_micros = 0;
  CHECK(room_for(b, unpriced).error().message.find("no price") != std::string::npos);
}

TEST_CASE("what is reserved counts until what was used takes its place") {
  Desk d;
  d.set("task:t", {}, {1000, 0, 0});
  const auto r = d.reserve(charge_of());
  REQUIRE(r.ok());
  CHECK(r->grant.max_output_tokens == 50);
  CHECK(d.view("task:t").tokens == 150);
  CHECK(d.view("task:t").reserved_tokens == 150);
  const auto s = d.budgets->settle(r->grant.id, usage_of(90, 20, 260));
  REQUIRE((s.ok() && *s));
  CHECK(d.view("task:t").tokens == 110);
  CHECK(d.view("task:t").reserved_tokens == 0);
  CHECK(d.view("task:t").cost_micros == 260);
  CHECK_FALSE(*d.budgets->settle(r->grant.id, usage_of(1, 1, 1)));  // once
  CHECK(d.view("task:t").tokens == 110);
}

TEST_CASE("what used nothing is given back whole") {
  Desk d;
  d.set("tenant", {}, {0, 1, 0});
  const auto r = d.reserve(charge_of());
  REQUIRE(r.ok());
  CHECK(d.reserve(charge_of()).error().code == Code::exhausted);
  REQUIRE(d.budgets->settle(r->grant.id, {}).ok());
  CHECK(d.view("tenant").requests == 0);
  CHECK(d.reserve(charge_of()).ok());
}

TEST_CASE("every budget that a request counts in is asked") {
  for (const char* scope : {"task:t", "agent:a", "user:1000", "tenant"}) {
    CAPTURE(scope);
    Desk d;
    d.set(scope, {}, {100, 0, 0});
    CHECK(d.reserve(charge_of()).error().code == Code::exhausted);
    d.set(scope, {}, {});
    CHECK(d.reserve(charge_of()).ok());
  }
  Desk d;
  d.set("agent:b", {}, {1, 0, 0});
  CHECK(d.reserve(charge_of()).ok());
}

TEST_CASE("a day and a month are counted by themselves, in UTC") {
  CHECK(day_start_us(kNoon) == kNoon - kDay / 2);
  CHECK(month_start_us(kNoon) == kNoon - kDay / 2 - 25 * kDay);
  Desk d;
  d.set("tenant", wire::BudgetPeriod::day, {160, 0, 0});
  const auto r = d.reserve(charge_of());
  REQUIRE(r.ok());
  CHECK_FALSE(d.reserve(charge_of()).ok());
  CHECK(d.reserve(charge_of(), kNoon + kDay).ok());
  // It is settled a day later: that does not count twice, nor in the new day.
  REQUIRE(d.budgets->settle(r->grant.id, usage_of(90, 20, 0)).ok());
  CHECK(d.view("tenant", kNoon + kDay).tokens == 150);
  Desk month;
  month.set("tenant", wire::BudgetPeriod::month, {300, 0, 0});
  CHECK(month.reserve(charge_of()).ok());
  CHECK(month.reserve(charge_of(), kNoon + kDay).ok());
  CHECK_FALSE(month.reserve(charge_of(), kNoon + 2 * kDay).ok());
  CHECK(month.reserve(charge_of(), kNoon + 10 * kDay).ok());  // December
}

TEST_CASE("what a task has spent is not forgotten at midnight, with a request under way") {
  Desk d;
  d.set("task:t", {}, {400, 0, 0});
  const auto before = d.reserve(charge_of());
  REQUIRE(before.ok());
  REQUIRE(d.budgets->settle(before->grant.id, usage_of(100, 50, 0)).ok());
  const auto open = d.reserve(charge_of());
  REQUIRE(open.ok());
  Charge other = charge_of();
  other.task = "other";
  REQUIRE(d.reserve(other, kNoon + kDay).ok());
  REQUIRE(d.budgets->settle(open->grant.id, usage_of(100, 50, 0)).ok());
  CHECK(d.view("task:t", kNoon + kDay).tokens == 300);
  CHECK(d.reserve(charge_of(), kNoon + kDay).error().code == Code::exhausted);
}

TEST_CASE("a daemon that died in between counts the reservation as spent") {
  Desk d;
  d.set("tenant", {}, {200, 0, 0});
  REQUIRE(d.reserve(charge_of()).ok());
  REQUIRE(d.store->commit().ok());
  d.reopen();
  CHECK(*d.budgets->recover() == 1);
  CHECK(*d.budgets->recover() == 0);
  CHECK(d.view("tenant").tokens == 150);
  CHECK_FALSE(d.reserve(charge_of()).ok());
  const auto rows = d.store->budgets().of_task("t", 10);
  REQUIRE((rows.ok() && rows->size() == 1));
  CHECK(rows->front().state == "lost");
}

TEST_CASE("a reservation whose commit failed was none") {
  Desk d;
  d.set("tenant", {}, {1000, 0, 0});
  REQUIRE(d.store->commit().ok());
  REQUIRE(d.store->savepoint().ok());
  const auto r = d.reserve(charge_of());
  REQUIRE(r.ok());
  d.store->rollback();
  d.budgets->cancel(r->grant.id);
  CHECK(d.view("tenant").tokens == 0);
  CHECK_FALSE(*d.budgets->settle(r->grant.id, usage_of(1, 1, 1)));
}

TEST_CASE("a soft cap is told once, and asks for the cheaper model each time") {
  Desk d;
  d.set("task:t", {}, {0, 5, 0});
  Charge c = charge_of();
  c.downgrade = "small";
  for (int i = 0; i < 3; ++i) {
    const auto r = d.reserve(c);
    REQUIRE(r.ok());
    CHECK(r->soft.empty());
    CHECK(r->grant.downgrade_to.empty());
  }
  const auto fourth = d.reserve(c);
  REQUIRE(fourth.ok());
  REQUIRE(fourth->soft.size() == 1);
  CHECK(fourth->soft[0].limit == "requests");
  CHECK(fourth->soft[0].used == 4);
  CHECK(fourth->soft[0].most == 5);
  CHECK(fourth->grant.downgrade_to == "small");
  const auto fifth = d.reserve(c);
  REQUIRE(fifth.ok());
  CHECK(fifth->soft.empty());
  CHECK(fifth->grant.downgrade_to == "small");
}

TEST_CASE("many reservations against a cap never pass it") {
  Desk d;
  d.set("tenant", {}, {0, 0, 5'000});
  std::vector<uint64_t> open;
  uint64_t seed = 1;
  for (int i = 0; i < 2000; ++i) {
    seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
    if (seed >> 63 != 0 || open.empty()) {
      const auto r = d.reserve(charge_of(10 + (seed >> 40) % 200));
      if (r.ok()) open.push_back(r->grant.id);
    } else {
      const uint64_t id = open.back();
      open.pop_back();
      REQUIRE(d.budgets->settle(id, usage_of(1, 1, (seed >> 40) % 20 + 1)).ok());
    }
    REQUIRE(d.view("tenant").cost_micros <= 5'000);
  }
}

TEST_CASE("a scope that is none is refused") {
  Desk d;
  for (const char* scope : {"", "planet", "user:", "user:x", "task:", "agent:"}) {
    wire::BudgetPut body;
    body.scope = scope;
    body.limits.max_tokens = 1;
    CHECK(d.budgets->set(body).error().code == Code::invalid);
  }
  wire::BudgetPut body{"task:t", wire::BudgetPeriod::day, {1, 0, 0}, 80};
  CHECK_FALSE(d.budgets->set(body).ok());
  body = {"tenant", {}, {1, 0, 0}, 0};
  CHECK_FALSE(d.budgets->set(body).ok());
}
