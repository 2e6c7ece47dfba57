// SPDX-License-Identifier: Apache-2.0
// The descriptors of one turn of the shim's loop. poll(2) with a fixed array instead of the
// daemon's epoll loop: a shim has a handful of descriptors, and no heap, no callbacks and no
// registration cost matter more here.
#pragma once

#include <poll.h>

#include <cerrno>
#include <cstddef>

namespace codexos::exec {

class PollSet {
 public:
  static constexpr size_t kMax = 192;

  void clear() { count_ = 0; }
  /// The index to ask ready() with; -1 (never ready) for a closed descriptor or a full set.
  int add(int fd, short events) {
    if (fd < 0 || count_ == kMax) return -1;
    fds_[count_] = {fd, events, 0};
    return static_cast<int>(count_++);
  }
  short ready(int index) const {
    return index < 0 ? short{0} : fds_[static_cast<size_t>(index)].revents;
  }
  /// -1: no limit. False: the time is over.
  bool wait(int timeout_ms) {
    const int ready = poll(fds_, count_, timeout_ms);
    if (ready >= 0) return ready > 0;
    for (size_t i = 0; i < count_; ++i) fds_[i].revents = 0;
    return true;
  }

 private:
  pollfd fds_[kMax];
  size_t count_ = 0;
};

}  // namespace codexos::exec
