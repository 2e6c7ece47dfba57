// SPDX-License-Identifier: Apache-2.0
// One output stream of a program: source (a pipe, or the terminal's master) -> log and readers.
//
// A stream is a sequence of bytes with offsets. Bytes get an offset when they are taken from the
// source and written to the log. Each reader has a cursor; one that has all bytes so far gets new
// ones directly, one that has fallen behind is fed from the log. The readers that count (the owner
// and its passed descriptor) hold the source back instead: when they do not read, the program's
// pipe fills and it waits, as it would without us.
//
// Of a task that has secrets the log is masked: it gets stars for their values (Redactor), and an
// end that may become a value only when that is decided. The offsets stay true, and who keeps up
// gets the bytes as they are; the readers that count always do.
//
// Between pipes bytes are never copied to user space: tee(2) into the outlet's queue, splice(2)
// from the source into the log, splice(2) from the queue to the reader.
#pragma once

#include <cerrno>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/fd.h"
#include "core/base/redactor.h"
#include "daemon/exec/log_file.h"
#include "daemon/exec/poll_set.h"

namespace codexos::exec {

/// The client's own stdout or stderr, passed to the shim. Its open file description is shared with
/// programs outside, so O_NONBLOCK is never set on it: pipes get SPLICE_F_NONBLOCK, regular files
/// and devices plain writes.
class Outlet {
 public:
  Outlet() = default;
  explicit Outlet(Fd fd);

  bool open() const { return static_cast<bool>(fd_); }
  void close();
  /// The same, and error() says EIO: bytes were lost.
  void lose() { fail(EIO); }
  bool is_pipe() const { return pipe_; }
  /// Nothing waits in the queue.
  bool idle() const { return queued_ == 0; }
  uint64_t cursor() const { return cursor_; }
  /// 0, or the errno of a write that failed; the outlet is then closed. EPIPE is no failure of
  /// ours.
  int error() const { return error_; }

  /// Pipes: duplicates what is in `source` into the empty queue; bytes, 0 at the source's end, -1
  /// with errno. The caller then takes as many bytes from the source.
  ssize_t tee_from(int source, size_t limit);
  /// Takes bytes; fewer than given when the queue is full. Advances the cursor.
  size_t take(std::string_view bytes);
  /// Moves the queue on, as far as the reader takes it.
  void flush();

  void watch(PollSet& polls);
  /// Learns that the reader closed its end, also while nothing is written, and flushes.
  void react(const PollSet& polls);

 private:
  bool make_queue();
  size_t write_plain(std::string_view bytes);
  void fail(int error);

  Fd fd_;
  Fd queue_in_, queue_out_;
  bool pipe_ = false;
  size_t queued_ = 0;
  uint64_t cursor_ = 0;
  int error_ = 0;
  int poll_ = -1;
};

class Stream {
 public:
  /// `number` is the stream's in frames; `source` is O_NONBLOCK. Both kinds of source end by EOF or
  /// EIO.
  Stream(uint8_t number, Fd source, bool is_pipe, Outlet to)
      : outlet(std::move(to)), number_(number), is_pipe_(is_pipe), source_(std::move(source)) {}

  uint8_t number() const { return number_; }
  bool is_pipe() const { return is_pipe_; }
  bool open() const { return static_cast<bool>(source_); }
  /// Ends the stream: the program's next write to a pipe gets SIGPIPE.
  void close();
  int source() const { return source_.get(); }
  uint64_t total() const { return total_; }

  /// From now on the log gets what `by` makes of the bytes. It outlives the stream, or the next
  /// one.
  void mask_by(const Redactor& by);
  bool masked() const { return mask_.has_value(); }
  /// So much of total() was given to the log.
  uint64_t logged() const { return total_ - (mask_ ? mask_->held().size() : 0); }
  /// Bytes at `offset`, for who has fallen behind; 0: they are gone.
  size_t read_back(uint64_t offset, char* to, size_t room) const;

  enum class Pull { none, some, end };
  /// Without user space: from pipe to log and outlet.
  Pull pull_spliced();
  /// Into the chunk, and the log; `out` is valid until the chunk is used again.
  Pull pull_bytes(std::string_view& out);
  /// Whether pull_spliced() can be used, as far as source and outlet are concerned.
  bool can_splice() const {
    return is_pipe_ && !mask_ && outlet.open() && outlet.is_pipe() && !outlet_behind();
  }
  /// Whether the outlet has not had everything yet.
  bool outlet_behind() const {
    return outlet.open() && (!outlet.idle() || outlet.cursor() < total_);
  }
  /// Feeds an outlet that has fallen behind, from the log where that has the bytes as they were.
  void feed_outlet();

  Outlet outlet;
  LogFile log;

 private:
  void keep(std::string_view bytes, uint64_t offset);
  void grow_when_busy();

  uint8_t number_;
  bool is_pipe_;
  bool grown_ = false;
  Fd source_;
  uint64_t total_ = 0;
  std::optional<Redactor::Stream> mask_;
  std::string behind_;  // masked: what the outlet has not taken yet
};

}  // namespace codexos::exec
