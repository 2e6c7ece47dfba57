// SPDX-License-Identifier: Apache-2.0
// Reads a task's output from its log files by cursor, while the shim writes them
// (core/base/record.h, LogLayout): what is there up to the shim's counters, never more. The middle
// of a stream that was longer than the cap is gone, and a piece says how many bytes are missing
// before it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "core/base/error.h"
#include "core/base/record.h"
#include "core/wire/task.h"
#include "daemon/tasks/task_files.h"

namespace codexos::daemon {

class LogReader {
 public:
  /// Opens nothing yet: a task that is only starting has empty logs.
  LogReader(TaskPaths paths, std::string task);

  void seek(int stream, uint64_t offset) { at_[static_cast<size_t>(stream)] = offset; }
  /// Starts at the last `lines` lines of each stream.
  Status seek_tail(uint64_t lines);
  /// Reads the counters again. Error: the log is gone.
  Status refresh();
  /// The next piece of a stream, at most 64 KiB, or nothing now. `final`: the task has ended, so a
  /// character that is cut at the end will not be completed.
  Result<std::optional<wire::OutputLine>> next(int stream, bool final);

 private:
  Result<std::string> read_at(int stream, uint64_t offset, size_t n);

  TaskPaths paths_;
  std::string task_;
  LogLayout layout_;
  std::array<uint64_t, 2> at_{};
  std::array<uint64_t, 2> total_{};
  std::array<Fd, 2> logs_;
  Fd record_;
};

/// How many bytes at the end of `s` begin a UTF-8 character that is not complete (0 to 3).
size_t cut_utf8_tail(std::string_view s);

}  // namespace codexos::daemon
