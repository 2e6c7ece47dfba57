// SPDX-License-Identifier: Apache-2.0
#include "daemon/tasks/limits.h"

#include <doctest/doctest.h>
#include <sys/resource.h>

namespace codexos::daemon {
namespace {

using wire::LimitDriver;

TaskLimits some() {
  TaskLimits l;
  l.timeout_ms = 1000;
  l.memory_bytes = 64 << 20;
  l.cpu_milli = 1500;
  l.pids = 20;
  return l;
}
const CgroupSupport kAll{1, {"memory", "cpu", "cpuacct", "pids", "freezer"}, {}};
const CgroupSupport kNone{0, {}, "mkdir /sys/fs/cgroup/x: Permission denied"};

std::string told(const std::vector<wire::LimitHeld>& held) {
  std::string out;
  for (const auto& l : held) out += l.name + " " + l.value + " by " + l.by + "; ";
  return out;
}

uint64_t rlimit_in(const Job& job, int resource) {
  for (const auto& l : job.limits)
    if (l.resource == resource) return l.value;
  return 0;
}

TEST_CASE("each limit says what holds it") {
  CHECK(told(*hold_limits(some(), LimitDriver::any, kAll)) ==
        "timeout 1s by shim; memory 64MiB by cgroup v1; cpus 1.5 by cgroup v1; pids 20 by cgroup "
        "v1; ");
  const auto held = hold_limits(some(), LimitDriver::any, kNone);
  REQUIRE(held.ok());
  CHECK(told(*held) ==
        "timeout 1s by shim; memory 64MiB by sampling; cpus 1.5 by ; pids 20 by rlimit; ");
  CHECK((*held)[2].why.find("Permission denied") != std::string::npos);
}

TEST_CASE("a cgroup that is demanded has to hold everything that a cgroup can hold") {
  CHECK(hold_limits(some(), LimitDriver::cgroup, kAll).ok());
  const CgroupSupport partly{1, {"pids"}, {}};
  for (const auto& support : {kNone, partly}) {
    const auto refused = hold_limits(some(), LimitDriver::cgroup, support);
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().code == Code::denied);
  }
  CHECK_FALSE(hold_limits(TaskLimits{}, LimitDriver::cgroup, kNone).ok());
}

TEST_CASE("only what a cgroup can hold asks for one") {
  TaskLimits l;
  l.timeout_ms = l.disk_bytes = l.open_files = l.log_bytes = 100;
  CHECK_FALSE(wants_cgroup(l, LimitDriver::any));
  CHECK(wants_cgroup(l, LimitDriver::cgroup));
  l.cpu_time_ms = 1;
  CHECK(wants_cgroup(l, LimitDriver::any));
}

TEST_CASE("processes are bounded by an rlimit, by the default where a cgroup counts them") {
  Job by_rlimit, by_cgroup, plain;
  put_limits(some(), kNone, by_rlimit);
  put_limits(some(), kAll, by_cgroup);
  put_limits(TaskLimits{}, CgroupSupport{}, plain);
  CHECK(rlimit_in(by_rlimit, RLIMIT_NPROC) == 22);
  CHECK(rlimit_in(by_cgroup, RLIMIT_NPROC) == rlimit_in(plain, RLIMIT_NPROC));
  CHECK(rlimit_in(plain, RLIMIT_NPROC) > 1000);
  CHECK(by_rlimit.memory_bytes == 64 << 20);
  CHECK(plain.log_cap_bytes == Job{}.log_cap_bytes);
}

}  // namespace
}  // namespace codexos::daemon
