// SPDX-License-Identifier: Apache-2.0
// What a task may use, and the one table of these limits: their names in policies and options,
// their units and what is the least of each. Everything that lists limits is drawn from it.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/error.h"

namespace codexos {

/// 0: no limit, or what a task has by default (open_files, log_bytes).
struct TaskLimits {
  uint64_t timeout_ms = 0;
  uint64_t idle_timeout_ms = 0;
  uint64_t memory_bytes = 0;
  uint64_t cpu_milli = 0;  // thousandths of a processor
  uint64_t cpu_time_ms = 0;
  uint64_t pids = 0;
  uint64_t disk_bytes = 0;
  uint64_t open_files = 0;
  uint64_t log_bytes = 0;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("timeout_ms", s.timeout_ms, "time limit in milliseconds, 0: none");
    v("idle_timeout_ms", s.idle_timeout_ms,
      "limit of time without output in milliseconds, 0: none");
    v("memory_bytes", s.memory_bytes,
      "limit of memory, swap and scratch space of all its processes together, 0: none");
    v("cpu_milli", s.cpu_milli, "limit of processors in thousandths, 0: none");
    v("cpu_time_ms", s.cpu_time_ms,
      "limit of CPU time of all its processes together in milliseconds, 0: none");
    v("pids", s.pids, "limit of processes and threads, 0: the default");
    v("disk_bytes", s.disk_bytes,
      "limit of held-back changes, scratch space and log together, 0: none");
    v("open_files", s.open_files, "limit of open files of a process, 0: the default");
    v("log_bytes", s.log_bytes, "what is kept of each output stream, 0: the default");
  }
};

enum class LimitUnit : int { time, bytes, count, thousandths };

struct LimitRow {
  std::string_view key;  // in policies, and the option with '-' for '_'
  uint64_t TaskLimits::*amount;
  LimitUnit unit;
  uint64_t least;
  std::string_view what;  // "memory limit"
  uint64_t standard = 0;  // what a task has when nobody says anything; 0: no limit
};
inline constexpr std::array kLimits{
    LimitRow{"timeout", &TaskLimits::timeout_ms, LimitUnit::time, 0, "time limit"},
    LimitRow{"idle_timeout", &TaskLimits::idle_timeout_ms, LimitUnit::time, 0,
             "limit of time without output"},
    LimitRow{"memory", &TaskLimits::memory_bytes, LimitUnit::bytes, 8 << 20, "memory limit"},
    LimitRow{"cpus", &TaskLimits::cpu_milli, LimitUnit::thousandths, 10, "limit of processors"},
    LimitRow{"cpu_time", &TaskLimits::cpu_time_ms, LimitUnit::time, 10, "limit of CPU time"},
    LimitRow{"pids", &TaskLimits::pids, LimitUnit::count, 2, "limit of processes", 16384},
    LimitRow{"disk", &TaskLimits::disk_bytes, LimitUnit::bytes, 1 << 20, "disk limit"},
    LimitRow{"open_files", &TaskLimits::open_files, LimitUnit::count, 16, "limit of open files",
             65536},
    LimitRow{"log", &TaskLimits::log_bytes, LimitUnit::bytes, 64 << 10, "limit of the log",
             64 << 20},
};
constexpr const LimitRow& limit_row(uint64_t TaskLimits::*amount) {
  for (const auto& row : kLimits)
    if (row.amount == amount) return row;
  return kLimits[0];
}

/// "90s", "512MiB", "1.5", "100", or "none", which is 0. For times "0" is none as well. Error
/// invalid: it is no such amount, or less than the least.
Result<uint64_t> parse_limit(const LimitRow& row, std::string_view text);
/// What parse_limit() reads back as the same.
std::string limit_text(const LimitRow& row, uint64_t amount);
/// The option of `run`: "--cpu-time".
std::string limit_option(const LimitRow& row);

}  // namespace codexos
