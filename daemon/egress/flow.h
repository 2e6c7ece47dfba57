// SPDX-License-Identifier: Apache-2.0
// One direction of a relayed connection. Bytes go from socket to socket by splice(2) through a
// pipe, so that they are never copied into this process. A pipe is held only while bytes wait in
// it: a thousand idle connections need none.
#pragma once

#include <cstdint>
#include <vector>

#include "core/base/fd.h"

namespace codexos::daemon {

struct Pipe {
  Fd read, write;
};

class PipePool {
 public:
  /// An empty pipe; without descriptors when there are none left.
  Pipe take();
  void give_back(Pipe pipe);

 private:
  std::vector<Pipe> free_;
};

class Flow {
 public:
  Flow() = default;
  enum class State {
    open,
    done,    // the sender has ended, all was passed on, and the receiver knows
    broken,  // one of the sockets failed
  };

  /// Moves what can be moved without waiting, up to about a megabyte. Returns how much was passed
  /// on.
  uint64_t move(int from, int to, PipePool& pool);
  State state() const { return state_; }
  bool wants_to_read() const { return state_ == State::open && in_pipe_ == 0 && !ended_; }
  bool wants_to_write() const { return state_ == State::open && in_pipe_ > 0; }
  /// Returns the pipe.
  void close(PipePool& pool);

 private:
  bool fill(int from, PipePool& pool);
  bool drain(int to, uint64_t& moved);

  Pipe pipe_;
  size_t in_pipe_ = 0;
  bool ended_ = false;    // the sender has
  bool blocked_ = false;  // the receiver does not take more now
  State state_ = State::open;
};

}  // namespace codexos::daemon
