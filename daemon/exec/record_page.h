// SPDX-License-Identifier: Apache-2.0
// The task's record (core/base/record.h), mapped shared: live counters while it runs, the end last.
// The page is kept out of children (MADV_DONTFORK), so that nothing that is placed into the task
// can write it.
#pragma once

#include <cstdint>

#include "core/base/fd.h"
#include "core/base/frames.h"
#include "core/base/record.h"

namespace codexos::exec {

class RecordPage {
 public:
  RecordPage() = default;
  /// Without a descriptor, or when it cannot be mapped, nothing is recorded.
  explicit RecordPage(Fd fd);
  RecordPage(RecordPage&&) = delete;
  RecordPage& operator=(RecordPage&&) = delete;
  ~RecordPage();

  /// Bytes of a stream (0 stdout or the terminal, 1 stderr) that the log now holds.
  void count(size_t stream, uint64_t total, int64_t monotonic_us);
  /// The stream's log can be written no more, for this errno: its count stands still.
  void log_failed(size_t stream, int error);
  void set_paused(bool paused);
  /// Right before the program is forked: from here on it may have run.
  /// Before anything is written to a log.
  void set_log_cap(uint64_t bytes);
  /// So far; 0: not measured.
  void note_peaks(uint64_t memory, uint64_t pids, uint64_t disk);
  void mark_started(int64_t at_us);
  /// The end; the checksum makes it valid and is stored last.
  void write_end(const Ended& end, int64_t started_at_us);
  /// fdatasync(2): survives a power failure. For when no daemon commits the end.
  void make_durable();

 private:
  Fd fd_;
  Record* page_ = nullptr;
};

}  // namespace codexos::exec
