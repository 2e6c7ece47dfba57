// SPDX-License-Identifier: Apache-2.0
#include "daemon/egress/flow.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace codexos::daemon {
namespace {

// The kernel counts a user's pipes (pipe(7)): a larger one is only a wish.
constexpr int kPipeBytes = 512 << 10;
constexpr size_t kOneSplice = 512 << 10;
constexpr uint64_t kOneTurn = 1 << 20;
constexpr size_t kMaxFree = 16;

ssize_t splice_some(int from, int to, size_t size) {
  for (;;) {
    const ssize_t n = splice(from, nullptr, to, nullptr, size, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
    if (n >= 0 || errno != EINTR) return n;
  }
}

}  // namespace

Pipe PipePool::take() {
  if (!free_.empty()) {
    Pipe p = std::move(free_.back());
    free_.pop_back();
    return p;
  }
  Pipe p;
  int ends[2];
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) return p;
  p.read.reset(ends[0]);
  p.write.reset(ends[1]);
  (void)fcntl(ends[1], F_SETPIPE_SZ, kPipeBytes);
  return p;
}

void PipePool::give_back(Pipe pipe) {
  if (pipe.read && free_.size() < kMaxFree) free_.push_back(std::move(pipe));
}

/// False: nothing came.
bool Flow::fill(int from, PipePool& pool) {
  if (ended_) return false;
  if (!pipe_.read) pipe_ = pool.take();
  if (!pipe_.read) {
    state_ = State::broken;
    return false;
  }
  const ssize_t n = splice_some(from, pipe_.write.get(), kOneSplice);
  if (n > 0) {
    in_pipe_ += static_cast<size_t>(n);
    return true;
  }
  if (n == 0)
    ended_ = true;
  else if (errno != EAGAIN)
    state_ = State::broken;
  return false;
}

/// False: nothing went.
bool Flow::drain(int to, uint64_t& moved) {
  blocked_ = false;
  if (in_pipe_ == 0) return false;
  const ssize_t n = splice_some(pipe_.read.get(), to, in_pipe_);
  if (n > 0) {
    in_pipe_ -= static_cast<size_t>(n);
    moved += static_cast<uint64_t>(n);
    return true;
  }
  if (n < 0 && errno != EAGAIN)
    state_ = State::broken;
  else
    blocked_ = true;
  return false;
}

uint64_t Flow::move(int from, int to, PipePool& pool) {
  uint64_t moved = 0;
  while (state_ == State::open && moved < kOneTurn) {
    const bool came = fill(from, pool);
    const bool went = state_ == State::open && drain(to, moved);
    if (!came && !went) break;
  }
  if (state_ == State::open && ended_ && in_pipe_ == 0) {
    shutdown(to, SHUT_WR);
    state_ = State::done;
  }
  if (in_pipe_ == 0 && pipe_.read) pool.give_back(std::exchange(pipe_, Pipe()));
  return moved;
}

void Flow::close(PipePool& pool) {
  if (in_pipe_ == 0 && pipe_.read) pool.give_back(std::move(pipe_));
  pipe_ = Pipe();
}

}  // namespace codexos::daemon
