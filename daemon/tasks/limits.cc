// SPDX-License-Identifier: Apache-2.0
#include "daemon/tasks/limits.h"

#include <sys/resource.h>

#include <algorithm>
#include <array>

namespace codexos::daemon {
namespace {

struct Holder {
  uint64_t TaskLimits::*amount;
  std::string_view controller;  // that can hold it; empty: none does
  std::string_view without;     // what does where there is no such controller; empty: nothing
};
constexpr std::array kHolders{
    Holder{&TaskLimits::timeout_ms, "", "shim"},
    Holder{&TaskLimits::idle_timeout_ms, "", "shim"},
    Holder{&TaskLimits::memory_bytes, "memory", "sampling"},
    Holder{&TaskLimits::cpu_milli, "cpu", ""},
    Holder{&TaskLimits::cpu_time_ms, "cpuacct", "sampling"},
    Holder{&TaskLimits::pids, "pids", "rlimit"},
    Holder{&TaskLimits::disk_bytes, "", "sampling"},
    Holder{&TaskLimits::open_files, "", "rlimit"},
    Holder{&TaskLimits::log_bytes, "", "shim"},
};
static_assert(kHolders.size() == kLimits.size());

/// Of the user namespace of a task beside what the limit is for: the shim, and the worker that
/// answers for the overlays.
constexpr uint64_t kOwnProcesses = 2;

struct RlimitRow {
  int resource;
  uint64_t TaskLimits::*amount;
  uint64_t more;
  const char* why;
};
// RLIMIT_NPROC counts per user namespace, so it is the task's own. Both limits are soft and hard.
constexpr std::array kRlimits{
    RlimitRow{RLIMIT_NPROC, &TaskLimits::pids, kOwnProcesses,
              "a fork bomb ends where there is no cgroup"},
    RlimitRow{RLIMIT_NOFILE, &TaskLimits::open_files, 0,
              "enough for every server, few enough for programs that close them all"},
};

Limit rlimit_of(int resource, uint64_t value) {
  rlimit own{};
  // The helper inherits the daemon's hard limit and cannot pass it.
  if (getrlimit(static_cast<__rlimit_resource_t>(resource), &own) == 0 &&
      own.rlim_max != RLIM_INFINITY)
    value = std::min<uint64_t>(value, own.rlim_max);
  return Limit{resource, value};
}

std::string version_text(const CgroupSupport& c) { return "cgroup v" + std::to_string(c.version); }

}  // namespace

bool wants_cgroup(const TaskLimits& limits, wire::LimitDriver driver) {
  return driver == wire::LimitDriver::cgroup ||
         std::any_of(kHolders.begin(), kHolders.end(), [&limits](const Holder& h) {
           return !h.controller.empty() && limits.*(h.amount) != 0;
         });
}

Result<std::vector<wire::LimitHeld>> hold_limits(const TaskLimits& limits, wire::LimitDriver driver,
                                                 const CgroupSupport& cgroups) {
  const bool demanded = driver == wire::LimitDriver::cgroup;
  const std::string why = cgroups.why.empty() ? "this machine's cgroups lack it" : cgroups.why;
  const Error refused{Code::denied,
                      "limits.driver: a policy demands that a cgroup holds the limits, and none "
                      "can be used here: " +
                          why,
                      "codexos policy show; man codexos says how a cgroup is delegated"};
  if (demanded && cgroups.version == 0) return refused;
  std::vector<wire::LimitHeld> out;
  for (const Holder& h : kHolders) {
    const uint64_t amount = limits.*(h.amount);
    if (amount == 0) continue;
    const LimitRow& row = limit_row(h.amount);
    wire::LimitHeld held{std::string(row.key), limit_text(row, amount), std::string(h.without), {}};
    if (!h.controller.empty() && cgroups.has(h.controller))
      held.by = version_text(cgroups);
    else if (!h.controller.empty() && demanded)
      return refused;
    if (held.by.empty()) held.why = "only a cgroup can hold it: " + why;
    out.push_back(std::move(held));
  }
  return out;
}

void put_limits(const TaskLimits& limits, const CgroupSupport& cgroups, Job& job) {
  job.timeout_ms = limits.timeout_ms;
  job.idle_timeout_ms = limits.idle_timeout_ms;
  job.memory_bytes = limits.memory_bytes;
  job.cpu_time_ms = limits.cpu_time_ms;
  job.disk_bytes = limits.disk_bytes;
  job.pids = limits.pids;
  if (limits.log_bytes != 0) job.log_cap_bytes = limits.log_bytes;
  for (const RlimitRow& row : kRlimits) {
    uint64_t amount = limits.*(row.amount);
    if (row.amount == &TaskLimits::pids && cgroups.has("pids")) amount = 0;
    if (amount == 0) amount = limit_row(row.amount).standard;
    job.limits.push_back(rlimit_of(row.resource, amount + row.more));
  }
  job.limits.push_back(rlimit_of(RLIMIT_CORE, 0));  // no core files in the workspace
}

}  // namespace codexos::daemon
