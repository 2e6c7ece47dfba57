// SPDX-License-Identifier: Apache-2.0
// What measuring means for a task with limits: which of them are nearly used up, which one ends it,
// and how soon it is worth looking again. Pure; sizes in bytes, times in microseconds.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "core/base/frames.h"
#include "core/base/limits.h"
#include "core/base/outcome.h"
#include "core/base/plan.h"

namespace codexos::exec {

struct WatchedLimit {
  const LimitRow* row;
  uint64_t Job::*most;  // in the row's unit
  uint64_t scale;       // from there to what is measured
  uint64_t Measure::*used;
  uint64_t per_us;  // a task hardly uses it up faster; 0: it ends nobody, the kernel holds it
  Cause cause;
  bool may_finish;  // TERM first
  const char* text;
};
inline constexpr std::array kWatched{
    WatchedLimit{&limit_row(&TaskLimits::memory_bytes), &Job::memory_bytes, 1,
                 &Measure::memory_bytes, 4096, Cause::oom, false, "out of memory: it used its"},
    WatchedLimit{&limit_row(&TaskLimits::cpu_time_ms), &Job::cpu_time_ms, 1000, &Measure::cpu_us, 1,
                 Cause::time_limit, true, "it used its"},
    WatchedLimit{&limit_row(&TaskLimits::disk_bytes), &Job::disk_bytes, 1, &Measure::disk_bytes,
                 2048, Cause::disk, false, "no space left: it used its"},
    WatchedLimit{&limit_row(&TaskLimits::pids), &Job::pids, 1, &Measure::pids, 0, Cause::none,
                 false, ""},
};

class LimitWatch {
 public:
  static constexpr int64_t kSoonestUs = 5'000;
  static constexpr int64_t kLatestUs = 200'000;

  /// `processors`: how many can run at once. `kernel_holds_memory`: it ends the task, not we.
  LimitWatch(const Job& job, uint64_t processors, bool kernel_holds_memory)
      : processors_(std::max<uint64_t>(1, processors)), kernel_holds_memory_(kernel_holds_memory) {
    for (size_t i = 0; i < kWatched.size(); ++i) {
      most_[i] = job.*(kWatched[i].most) * kWatched[i].scale;
      any_ = any_ || most_[i] != 0;
    }
  }

  bool any() const { return any_; }
  bool watches(uint64_t Job::*limit) const { return over_from(limit) != 0; }

  /// tell(watched, used) for each limit that is used up to four fifths, once.
  template <class Tell>
  void tell_near(const Measure& m, Tell tell) {
    for (size_t i = 0; i < kWatched.size(); ++i) {
      if (most_[i] == 0 || told_[i] || !is_near(i, m)) continue;
      told_[i] = true;
      tell(kWatched[i], m.*(kWatched[i].used));
    }
  }
  /// From how much on a limit is nearly, or wholly, used up; 0: there is no such limit.
  uint64_t near_from(uint64_t Job::*limit) const { return over_from(limit) / 5 * 4; }
  uint64_t over_from(uint64_t Job::*limit) const {
    for (size_t i = 0; i < kWatched.size(); ++i)
      if (kWatched[i].most == limit) return most_[i];
    return 0;
  }

  /// The first limit that is used up; null: none.
  const WatchedLimit* over(const Measure& m) const {
    for (size_t i = 0; i < kWatched.size(); ++i)
      if (ends(i) && m.*(kWatched[i].used) >= most_[i]) return &kWatched[i];
    return nullptr;
  }

  /// Until the first limit could be used up, within bounds.
  int64_t wait_us(const Measure& m) const {
    int64_t wait = kLatestUs;
    for (size_t i = 0; i < kWatched.size(); ++i) {
      if (!ends(i)) continue;
      const uint64_t used = std::min(m.*(kWatched[i].used), most_[i]);
      uint64_t per_us = kWatched[i].per_us;
      if (kWatched[i].used == &Measure::cpu_us) per_us *= processors_;
      wait = std::min<int64_t>(wait, static_cast<int64_t>((most_[i] - used) / per_us));
    }
    return std::max(wait, kSoonestUs);
  }

 private:
  bool ends(size_t i) const {
    return most_[i] != 0 && kWatched[i].per_us != 0 &&
           !(kernel_holds_memory_ && kWatched[i].cause == Cause::oom);
  }
  bool is_near(size_t i, const Measure& m) const {
    return m.*(kWatched[i].used) >= most_[i] / 5 * 4;
  }

  uint64_t processors_;
  bool kernel_holds_memory_;
  bool any_ = false;
  std::array<uint64_t, kWatched.size()> most_{};
  std::array<bool, kWatched.size()> told_{};
};

/// "out of memory: it used its memory limit of 64MiB (--memory)"
inline std::string end_text(const WatchedLimit& w, uint64_t most) {
  return std::string(w.text) + " " + std::string(w.row->what) + " of " + limit_text(*w.row, most) +
         " (" + limit_option(*w.row) + ")";
}
/// "four fifths of the task's memory limit of 64MiB are used (--memory)"
inline std::string near_text(const WatchedLimit& w, uint64_t most) {
  return "four fifths of the task's " + std::string(w.row->what) + " of " +
         limit_text(*w.row, most) + " are used (" + limit_option(*w.row) + ")";
}

/// CPU time of a process tree from looks at it. What a process has waited for is in its own
/// children's times, and what ended while nobody waited is remembered as it was last seen, so the
/// larger of two sums counts; it never falls. Missed is what begins and ends between two looks
/// while its parent does not wait for it.
class CpuTally {
 public:
  struct Process {
    int32_t pid;
    uint64_t start_time;
    uint64_t own_us;
    uint64_t children_us;  // of those that it waited for
  };
  /// One look: add() for each process, then total(), or begin() again.
  void begin() {
    waited_us_ = 0;
    seen_.clear();
  }
  void add(const Process& p) {
    waited_us_ += p.own_us + p.children_us;
    seen_.push_back(p);
  }
  /// `reaped_us`: of the children that the caller itself waited for.
  uint64_t total(uint64_t reaped_us) {
    uint64_t living_us = 0;
    for (const Process& p : seen_) living_us += p.own_us;
    // Both are in the order of pids.
    auto now = seen_.begin();
    for (const Process& was : before_) {
      while (now != seen_.end() && now->pid < was.pid) ++now;
      const bool lives =
          now != seen_.end() && now->pid == was.pid && now->start_time == was.start_time;
      if (!lives) gone_us_ += was.own_us;
    }
    total_us_ = std::max({total_us_, waited_us_ + reaped_us, living_us + gone_us_});
    before_.swap(seen_);
    return total_us_;
  }

 private:
  std::vector<Process> seen_, before_;
  uint64_t waited_us_ = 0;
  uint64_t gone_us_ = 0;
  uint64_t total_us_ = 0;
};

}  // namespace codexos::exec
