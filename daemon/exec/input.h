// SPDX-License-Identifier: Apache-2.0
// The program's stdin: the write end of its pipe, or the terminal's master. Never blocks; what the
// program has not taken waits here, bounded by the window that clients keep (kInputWindow).
#pragma once

#include <string>
#include <string_view>

#include "core/base/fd.h"
#include "daemon/exec/poll_set.h"

namespace codexos::exec {

class Input {
 public:
  enum class Kind { pipe, terminal };
  Input() = default;
  /// `fd` is O_NONBLOCK.
  Input(Fd fd, Kind kind) : fd_(std::move(fd)), kind_(kind) {}

  bool open() const { return static_cast<bool>(fd_); }
  size_t waiting() const { return queue_.size(); }
  /// Bytes that the program took, or that were dropped because it reads no more.
  size_t put(std::string_view bytes);
  /// The end, after what waits: a pipe is closed, a terminal gets its end-of-file character.
  void put_end();
  void close();

  void watch(PollSet& polls);
  /// The same count as put().
  size_t react(const PollSet& polls);

 private:
  size_t write_some(std::string_view bytes);
  void finish();

  Fd fd_;
  Kind kind_ = Kind::pipe;
  std::string queue_;
  bool ending_ = false;
  bool in_line_ = false;  // a terminal: the last byte was not a line's end
  int poll_ = -1;
};

}  // namespace codexos::exec
