// SPDX-License-Identifier: Apache-2.0
// The limits of core/base/limits.h as a policy says them: which member of Limits is the text of
// which amount.
#pragma once

#include <array>
#include <string>

#include "core/base/limits.h"
#include "core/policy/policy.h"

namespace codexos::policy {

struct LimitKey {
  const LimitRow* row;
  const std::string* (*said)(const Limits&);  // null: nothing
  void (*say)(Limits&, std::string text);
};

/// The row of the member `Text` of Limits, which stands for the amount `Amount` of TaskLimits.
template <auto Text, uint64_t TaskLimits::*Amount>
struct LimitOf {
  static const std::string* said(const Limits& l) { return l.*Text ? &*(l.*Text) : nullptr; }
  static void say(Limits& l, std::string text) { l.*Text = std::move(text); }
  static constexpr LimitKey key{&limit_row(Amount), said, say};
};

inline constexpr std::array kLimitKeys{
    LimitOf<&Limits::timeout, &TaskLimits::timeout_ms>::key,
    LimitOf<&Limits::idle_timeout, &TaskLimits::idle_timeout_ms>::key,
    LimitOf<&Limits::memory, &TaskLimits::memory_bytes>::key,
    LimitOf<&Limits::cpus, &TaskLimits::cpu_milli>::key,
    LimitOf<&Limits::cpu_time, &TaskLimits::cpu_time_ms>::key,
    LimitOf<&Limits::pids, &TaskLimits::pids>::key,
    LimitOf<&Limits::disk, &TaskLimits::disk_bytes>::key,
    LimitOf<&Limits::open_files, &TaskLimits::open_files>::key,
    LimitOf<&Limits::log, &TaskLimits::log_bytes>::key,
};
static_assert(kLimitKeys.size() == kLimits.size());

}  // namespace codexos::policy
