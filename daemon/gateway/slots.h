// SPDX-License-Identifier: Apache-2.0
// How many requests a provider gets at the same time, and each minute; the others wait in order.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "core/os/loop.h"
#include "daemon/gateway/providers.h"

namespace codexos::daemon {

class Slots {
 public:
  static constexpr size_t kMaxWaiting = 4096;

  explicit Slots(Loop& loop) : loop_(loop) {}
  ~Slots();
  /// `go` is called when it is `who`'s turn, maybe at once; leave() gives the slot back. False: too
  /// many wait already.
  bool enter(const Provider& p, uint64_t who, std::function<void()> go);
  /// From a slot or from the queue; of neither it is nothing.
  void leave(const std::string& provider, uint64_t who);

 private:
  struct Waiting {
    uint64_t who;
    std::function<void()> go;
  };
  struct Queue {
    uint64_t most = 0, each_minute = 0;
    std::map<uint64_t, bool> inside;
    std::deque<Waiting> waiting;
    std::deque<int64_t> recent_us;  // when those of the last minute began
    Loop::TimerId timer = 0;
  };
  void pump(Queue& q);

  Loop& loop_;
  std::map<std::string, Queue> queues_;
};

}  // namespace codexos::daemon
