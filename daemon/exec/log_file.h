// SPDX-License-Identifier: Apache-2.0
// One stream's log: a file of at most `cap` bytes, the first half kept from the start, the second a
// ring (LogLayout in core/base/record.h). It is also where a client that has fallen behind gets its
// bytes from, so the shim holds no queues of its own.
//
// A log that cannot be written (disk full) is given up, the program goes on: output that reaches
// its reader matters more than the copy.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/base/fd.h"
#include "core/base/record.h"

namespace codexos::exec {

class LogFile {
 public:
  LogFile() = default;
  /// `fd` was opened O_RDWR without O_APPEND; none or a cap below 2: nothing is kept.
  LogFile(Fd fd, uint64_t cap) : fd_(std::move(fd)), layout_{cap} {
    if (cap < 2) fd_.reset();
  }

  bool usable() const { return static_cast<bool>(fd_); }
  /// 0, or the errno for which it was given up.
  int error() const { return error_; }
  /// How many of the stream's first `total` bytes it took, be they kept or gone over by the ring.
  uint64_t taken(uint64_t total) const { return error_ == 0 ? total : end_; }
  /// Whether what is in the program's pipes at its end fits without touching bytes that a slow
  /// reader has not had yet.
  bool can_hold_back() const { return usable() && layout_.cap - layout_.head() >= (4U << 20); }

  /// Writes the bytes of the stream that begin at `offset`.
  void write(std::string_view bytes, uint64_t offset);
  /// Moves exactly `n` bytes, which are there, from a pipe; discards them when there is no log.
  void take_from(int pipe, size_t n, uint64_t offset);
  /// Reads from `offset` up to `total`, the stream's length; returns bytes, 0 when they are gone.
  size_t read(uint64_t offset, uint64_t total, char* to, size_t room) const;
  /// The first offset not before `offset` that is still there.
  uint64_t first_kept(uint64_t offset, uint64_t total) const;

 private:
  size_t piece(uint64_t offset, size_t n) const;  // up to the end of the head or the ring
  void give_up(int error, uint64_t offset);

  Fd fd_;
  LogLayout layout_{0};
  int error_ = 0;
  uint64_t end_ = 0;  // with an error: the first byte that was not taken
};

}  // namespace codexos::exec
