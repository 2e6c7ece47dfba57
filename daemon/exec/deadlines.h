// SPDX-License-Identifier: Apache-2.0
// The task's two clocks: --timeout counts from the start, --idle-timeout from the last output. Both
// stand still while the task is paused. Pure: times are CLOCK_MONOTONIC microseconds given by the
// caller.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "core/base/outcome.h"

namespace codexos::exec {

class Deadlines {
 public:
  static constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

  Deadlines() = default;
  /// 0: no limit.
  Deadlines(uint64_t timeout_ms, uint64_t idle_ms)
      : timeout_us_(to_us(timeout_ms)), idle_us_(to_us(idle_ms)) {}

  void start(int64_t now) { started_ = active_ = now; }
  /// Output came at `at`, or was held back by its reader.
  void active(int64_t at) { active_ = std::max(active_, at); }
  void pause(int64_t now) { paused_at_ = now; }
  void resume(int64_t now) {
    if (paused_at_ == kNever) return;
    const int64_t span = now - paused_at_;
    started_ += span;
    active_ += span;
    paused_at_ = kNever;
  }

  /// When expired() will say something, or kNever.
  int64_t next() const {
    if (paused_at_ != kNever) return kNever;
    return std::min(plus(started_, timeout_us_), plus(active_, idle_us_));
  }
  /// none, time_limit or idle_limit.
  Cause expired(int64_t now) const {
    if (now < next()) return Cause::none;
    return now >= plus(started_, timeout_us_) ? Cause::time_limit : Cause::idle_limit;
  }

 private:
  static int64_t to_us(uint64_t ms) {
    constexpr uint64_t kMost = 1ULL << 50;  // 35 years in ms: the sum with any time still fits
    return ms == 0 || ms > kMost ? kNever : static_cast<int64_t>(ms) * 1000;
  }
  static int64_t plus(int64_t at, int64_t span) { return span == kNever ? kNever : at + span; }

  int64_t timeout_us_ = kNever;
  int64_t idle_us_ = kNever;
  int64_t started_ = 0;
  int64_t active_ = 0;
  int64_t paused_at_ = kNever;
};

}  // namespace codexos::exec
