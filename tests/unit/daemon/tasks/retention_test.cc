// SPDX-License-Identifier: Apache-2.0
#include "daemon/tasks/retention.h"

#include <doctest/doctest.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "daemon/workspace/base.h"
#include "tests/unit/temp_dir.h"

namespace codexos::daemon {
namespace {

constexpr int64_t kDay = int64_t{86400} * 1000000;
constexpr int64_t kNow = 1000 * kDay;

HeldLayers held(const std::string& id, const std::string& state, int64_t days_ago,
                uint64_t bytes = 1, std::set<std::string> on = {}) {
  HeldLayers h;
  h.id = id;
  h.state = state;
  h.ended_us = days_ago < 0 ? 0 : kNow - days_ago * kDay;
  h.bytes = bytes;
  h.stacked_on = std::move(on);
  return h;
}
std::string expired(const RetentionPlan& p) {
  std::string out;
  for (const auto& e : p.expire) out += e.id;
  return out;
}
std::string removed(const RetentionPlan& p) {
  std::string out;
  for (const auto& id : p.remove) out += id;
  return out;
}
RetentionLimits limits(uint64_t bytes) {
  RetentionLimits l;
  l.bytes = bytes;
  return l;
}

TEST_CASE("retention: what nobody needs goes at once, and says nothing") {
  const auto p =
      plan_retention({held("a", "none", 0), held("b", "applied", 0), held("c", "discarded", 0),
                      held("d", "expired", 0), held("e", "continued", 0), held("f", "waiting", 0),
                      held("g", "none", -1)},
                     {}, kNow);
  CHECK(removed(p) == "abcde");
  CHECK(expired(p).empty());
}

TEST_CASE("retention: waiting changes go after their days") {
  const auto p = plan_retention({held("a", "waiting", 15), held("b", "waiting", 13)}, {}, kNow);
  CHECK(expired(p) == "a");
  CHECK(removed(p) == "a");
  CHECK(p.expire[0].why == "they had waited for 14 days");
}

TEST_CASE("retention: beyond the size the oldest go, no more than it takes") {
  const std::vector<HeldLayers> all = {held("a", "waiting", 1, 40), held("b", "waiting", 3, 40),
                                       held("c", "waiting", 2, 40), held("d", "running", -1, 40)};
  CHECK(expired(plan_retention(all, limits(160), kNow)).empty());
  CHECK(expired(plan_retention(all, limits(159), kNow)) == "b");
  CHECK(expired(plan_retention(all, limits(100), kNow)) == "bc");
  const auto p = plan_retention(all, limits(0), kNow);
  CHECK(expired(p) == "bca");  // what runs stays
  CHECK(p.expire[0].why == "all held-back changes took more than 0 bytes");
}

TEST_CASE("retention: what a task is stacked on stays as long as that task needs it") {
  const auto a = held("a", "continued", 20, 50);
  CHECK(removed(plan_retention({a, held("b", "waiting", 1, 1, {"a"})}, {}, kNow)).empty());
  CHECK(removed(plan_retention({a, held("b", "none", -1, 1, {"a"})}, {}, kNow)).empty());
  CHECK(removed(plan_retention({a, held("b", "applied", 1, 1, {"a"})}, {}, kNow)) == "ab");
  // with the last of a chain all of it goes, and its size counts
  const auto p = plan_retention({a, held("b", "waiting", 1, 1, {"a"}), held("c", "waiting", 0, 5)},
                                limits(20), kNow);
  CHECK(expired(p) == "b");
  CHECK(removed(p) == "ab");
  // a discarded one gave its base back: that waits again, though something runs on it
  auto running = held("r", "none", -1, 1, {"w"});
  CHECK(expired(plan_retention({held("w", "waiting", 30), running}, {}, kNow)).empty());
}

TEST_CASE("retention: what is in use is not touched") {
  auto busy = held("a", "applied", 1);
  busy.busy = true;
  auto applying = held("b", "waiting", 30);
  applying.busy = true;
  const auto p = plan_retention({busy, applying}, limits(0), kNow);
  CHECK(removed(p).empty());
  CHECK(expired(p).empty());
}

TEST_CASE("retention: limits come from the environment by one table") {
  const auto none = read_retention_limits([](const char*) -> const char* { return nullptr; });
  REQUIRE(none.ok());
  CHECK(none->age_s == 14 * 86400);
  CHECK(none->bytes == uint64_t{10} << 30);
  const auto set = read_retention_limits([](const char* name) -> const char* {
    return std::strcmp(name, "CODEXOS_RETENTION_BYTES") == 0 ? "4096" : "";
  });
  REQUIRE(set.ok());
  CHECK(set->bytes == 4096);
  for (const char* bad : {"-1", "ten", "1x", "99999999999999999999", "9223372036854775807"}) {
    static const char* text = nullptr;
    text = bad;
    CHECK(read_retention_limits([](const char*) { return text; }).error().code == Code::invalid);
  }
}

TEST_CASE("retention: references are found in whatever the tasks' files are") {
  const TempDir t;
  const std::string tasks = t.path + "/tasks";
  const std::string a(64, 'a'), b = std::string(63, '0') + "1", c(64, 'c'), d(64, 'd');
  std::filesystem::create_directories(tasks + "/one/applies/x");
  std::filesystem::create_directories(tasks + "/two/layers/0/upper");
  Base base;
  BaseEntry e;
  e.path = "p";
  e.digest = a;
  base.roots.emplace_back().entries = {e, e};
  REQUIRE(write_base(tasks + "/one/base", base).ok());
  std::ofstream(tasks + "/one/applies/x/ops") << "{\"digest\":\"" << b << "\"}";
  std::ofstream(tasks + "/two/layers/0/upper/f") << c;  // a task's own words
  std::ofstream(tasks + "/two/stdout.log") << d;
  const auto found = content_references(tasks);
  REQUIRE(found.ok());
  CHECK(found->count(a) == 1);
  CHECK(found->count(b) == 1);
  CHECK(found->size() == 2);
  CHECK(content_references(t.path + "/nowhere")->empty());
}

}  // namespace
}  // namespace codexos::daemon
