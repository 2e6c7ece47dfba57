// SPDX-License-Identifier: Apache-2.0
// How a task ended: the one table cause -> state -> exit code (source of events, inspect, exit
// codes).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "core/base/fields.h"

namespace codexos {

enum class Cause : int {
  none,
  exited,
  signaled,
  stopped,     // by `codexos stop` or `kill`
  owner_gone,  // the foreground client died
  time_limit,
  idle_limit,
  oom,
  disk,
  budget,
  quota,
  refused_by_policy,
  not_isolated,
  start_failed,
  not_found,
  not_executable,
  apply_failed,
  sandbox_killed,  // the shim was killed from outside
  lost,
  agent_failed,  // its program exited with 0, and the agent did not finish its job
};

enum class TaskState : int {
  queued,
  starting,
  running,
  paused,
  stopping,
  succeeded,
  failed,
  killed,
  timed_out,
  denied,
  lost
};
constexpr auto enum_names(TaskState) {
  return std::array{EnumName{TaskState::queued, "queued"},
                    EnumName{TaskState::starting, "starting"},
                    EnumName{TaskState::running, "running"},
                    EnumName{TaskState::paused, "paused"},
                    EnumName{TaskState::stopping, "stopping"},
                    EnumName{TaskState::succeeded, "succeeded"},
                    EnumName{TaskState::failed, "failed"},
                    EnumName{TaskState::killed, "killed"},
                    EnumName{TaskState::timed_out, "timed_out"},
                    EnumName{TaskState::denied, "denied"},
                    EnumName{TaskState::lost, "lost"}};
}
constexpr bool is_terminal(TaskState s) { return s >= TaskState::succeeded; }

struct CauseRow {
  Cause cause;
  std::string_view name;
  TaskState state;  // exited with code 0 is succeeded instead
  int exit_code;    // -1: the program's own code, or 128 + its signal
};
inline constexpr std::array kCauses{
    CauseRow{Cause::none, "", TaskState::failed, 125},
    CauseRow{Cause::exited, "exited", TaskState::failed, -1},
    CauseRow{Cause::signaled, "signaled", TaskState::failed, -1},
    CauseRow{Cause::stopped, "stopped", TaskState::killed, -1},
    CauseRow{Cause::owner_gone, "owner_gone", TaskState::killed, -1},
    CauseRow{Cause::time_limit, "time_limit", TaskState::timed_out, 124},
    CauseRow{Cause::idle_limit, "idle_limit", TaskState::timed_out, 124},
    CauseRow{Cause::oom, "oom", TaskState::killed, 137},
    CauseRow{Cause::disk, "disk", TaskState::killed, 125},
    CauseRow{Cause::budget, "budget", TaskState::timed_out, 124},
    CauseRow{Cause::quota, "quota", TaskState::denied, 125},
    CauseRow{Cause::refused_by_policy, "refused_by_policy", TaskState::denied, 125},
    CauseRow{Cause::not_isolated, "not_isolated", TaskState::denied, 125},
    CauseRow{Cause::start_failed, "start_failed", TaskState::failed, 125},
    CauseRow{Cause::not_found, "not_found", TaskState::failed, 127},
    CauseRow{Cause::not_executable, "not_executable", TaskState::failed, 126},
    CauseRow{Cause::apply_failed, "apply_failed", TaskState::failed, 125},
    CauseRow{Cause::sandbox_killed, "sandbox_killed", TaskState::killed, 137},
    CauseRow{Cause::lost, "lost", TaskState::lost, 125},
    CauseRow{Cause::agent_failed, "agent_failed", TaskState::failed, 1},
};
constexpr auto enum_names(Cause) {
  std::array<EnumName<Cause>, kCauses.size()> out{};
  for (size_t i = 0; i < kCauses.size(); ++i)
    out[i] = EnumName<Cause>{kCauses[i].cause, kCauses[i].name};
  return out;
}

/// `code` is the program's exit status (0 when it died of a signal), `signal` what killed it or 0.
/// `detail` says step and reason for start_failed and friends ("mount overlay: Invalid argument").
struct Outcome {
  Cause cause = Cause::none;
  int32_t code = 0;
  int32_t signal = 0;
  std::string detail;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("cause", s.cause);
    v("code", s.code);
    v("signal", s.signal);
    v("detail", s.detail);
  }
};

constexpr const CauseRow& cause_row(Cause c) {
  for (const auto& row : kCauses)
    if (row.cause == c) return row;
  return kCauses[0];
}
/// What `run` and `wait` exit with.
inline int exit_code_of(const Outcome& o) {
  const int fixed = cause_row(o.cause).exit_code;
  if (fixed >= 0) return fixed;
  return o.signal != 0 ? 128 + o.signal : o.code;
}
inline TaskState state_of(const Outcome& o) {
  if (o.cause == Cause::exited && o.code == 0) return TaskState::succeeded;
  return cause_row(o.cause).state;
}

/// What the task used: times by getrusage(2) of all reaped children, or by its cgroup. Where nobody
/// had to measure the rest (it had no such limit), that is not known.
struct Usage {
  uint64_t wall_us = 0;
  uint64_t cpu_user_us = 0;
  uint64_t cpu_system_us = 0;
  uint64_t max_rss_bytes = 0;  // of the largest process
  uint64_t stdout_bytes = 0;
  uint64_t stderr_bytes = 0;
  std::optional<uint64_t> memory_bytes;
  std::optional<uint64_t> pids;
  std::optional<uint64_t> disk_bytes;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("wall_us", s.wall_us, "wall time from exec to end, microseconds");
    v("cpu_user_us", s.cpu_user_us, "user CPU time of all processes, microseconds");
    v("cpu_system_us", s.cpu_system_us, "system CPU time of all processes, microseconds");
    v("max_rss_bytes", s.max_rss_bytes, "largest resident set of one process, bytes");
    v("stdout_bytes", s.stdout_bytes, "bytes written to stdout (or the terminal)");
    v("stderr_bytes", s.stderr_bytes, "bytes written to stderr");
    v("memory_bytes", s.memory_bytes,
      "most memory of all its processes at once, with scratch space, as far as it was measured");
    v("pids", s.pids, "most processes and threads at once, as far as it was measured");
    v("disk_bytes", s.disk_bytes,
      "most of held-back changes, scratch space and log at once, as far as it was measured");
  }
};

}  // namespace codexos
