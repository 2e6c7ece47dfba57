// SPDX-License-Identifier: Apache-2.0
#include "daemon/exec/limit_watch.h"

#include <doctest/doctest.h>

namespace codexos::exec {
namespace {

constexpr uint64_t kMiB = 1 << 20;

Job limited(uint64_t memory, uint64_t cpu_ms = 0, uint64_t disk = 0, uint64_t pids = 0) {
  Job job;
  job.memory_bytes = memory;
  job.cpu_time_ms = cpu_ms;
  job.disk_bytes = disk;
  job.pids = pids;
  return job;
}
Measure measured(uint64_t memory, uint64_t cpu_us = 0, uint64_t disk = 0, uint64_t pids = 0) {
  Measure m;
  m.memory_bytes = memory;
  m.cpu_us = cpu_us;
  m.disk_bytes = disk;
  m.pids = pids;
  return m;
}

TEST_CASE("a limit is told as nearly used up once, and ends the task when it is used up") {
  LimitWatch w(limited(100 * kMiB), 2, false);
  CHECK(w.any());
  int told = 0;
  const auto count = [&told](const WatchedLimit& l, uint64_t) {
    ++told;
    CHECK(near_text(l, 100 * kMiB) ==
          "four fifths of the task's memory limit of 100MiB are used (--memory)");
  };
  w.tell_near(measured(79 * kMiB), count);
  CHECK(told == 0);
  w.tell_near(measured(80 * kMiB), count);
  w.tell_near(measured(99 * kMiB), count);
  CHECK(told == 1);
  CHECK(w.over(measured(100 * kMiB - 1)) == nullptr);
  const WatchedLimit* over = w.over(measured(100 * kMiB));
  REQUIRE(over != nullptr);
  CHECK(over->cause == Cause::oom);
  CHECK_FALSE(over->may_finish);
  CHECK(end_text(*over, 100 * kMiB) ==
        "out of memory: it used its memory limit of 100MiB (--memory)");
}

TEST_CASE("without limits nothing is looked at") { CHECK_FALSE(LimitWatch(Job{}, 2, false).any()); }

TEST_CASE("a kernel that holds the memory limit ends the task itself") {
  const LimitWatch w(limited(100 * kMiB), 2, true);
  CHECK(w.over(measured(100 * kMiB)) == nullptr);
  CHECK(w.wait_us(measured(100 * kMiB)) == LimitWatch::kLatestUs);
}

TEST_CASE("CPU time and disk have their own causes, processes end nobody") {
  const LimitWatch w(limited(0, 2000, 10 * kMiB, 50), 2, false);
  CHECK(w.over(measured(0, 1'999'999)) == nullptr);
  CHECK(w.over(measured(0, 2'000'000))->cause == Cause::time_limit);
  CHECK(w.over(measured(0, 2'000'000))->may_finish);
  CHECK(w.over(measured(0, 0, 10 * kMiB))->cause == Cause::disk);
  CHECK(w.over(measured(0, 0, 0, 50)) == nullptr);
}

TEST_CASE("it is looked again before a limit can be used up, within bounds") {
  const LimitWatch memory(limited(100 * kMiB), 2, false);
  CHECK(memory.wait_us(measured(0)) == static_cast<int64_t>(100 * kMiB / 4096));
  CHECK(memory.wait_us(measured(99 * kMiB)) == LimitWatch::kSoonestUs);
  CHECK(memory.wait_us(measured(200 * kMiB)) == LimitWatch::kSoonestUs);
  CHECK(LimitWatch(limited(1ULL << 40), 2, false).wait_us(measured(0)) == LimitWatch::kLatestUs);
  // Two processors use up 100 ms in 50.
  CHECK(LimitWatch(limited(0, 1000), 2, false).wait_us(measured(0, 900'000)) == 50'000);
}

TEST_CASE("CPU time of a tree: of the living, of those waited for, of those nobody waited for") {
  CpuTally t;
  t.begin();
  t.add({2, 10, 1000, 0});
  t.add({3, 11, 500, 0});
  CHECK(t.total(0) == 1500);
  // 3 ended and was waited for by 2, after it had used 200 more.
  t.begin();
  t.add({2, 10, 1000, 700});
  CHECK(t.total(0) == 1700);
  // 2 ended as well, and was waited for by who asks.
  t.begin();
  CHECK(t.total(1700) == 1700);
  // A pid is used again: nothing is lost, nothing falls.
  t.begin();
  t.add({3, 99, 50, 0});
  CHECK(t.total(1700) == 1750);
}

TEST_CASE("what nobody waits for counts as it was last seen") {
  CpuTally t;
  for (int32_t pid = 2; pid < 6; ++pid) {
    t.begin();
    t.add({pid, 10, 100, 0});
    t.total(0);
  }
  t.begin();
  CHECK(t.total(0) == 400);
}

}  // namespace
}  // namespace codexos::exec
