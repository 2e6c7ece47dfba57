// SPDX-License-Identifier: Apache-2.0
// The event loop: epoll(7) over descriptors, one timerfd for all timers, signals by signalfd, child
// ends by pidfd. No callback may block. One turn: wait, run the callbacks that are ready, then the
// turn_end hook (where the daemon commits once and sends what waited for the commit).
#pragma once

#include <sys/epoll.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/base/error.h"
#include "core/base/fd.h"

namespace codexos {

class Loop {
 public:
  using OnReady = std::function<void(uint32_t events)>;  // EPOLLIN, EPOLLOUT, EPOLLHUP, EPOLLERR
  using OnTimer = std::function<void()>;
  using TimerId = uint64_t;

  static Result<std::unique_ptr<Loop>> make();

  /// Calls `fn` when `fd` is ready. The loop does not own fd; remove it before it is closed. `name`
  /// is what the "slow callback" log line says (a literal: not copied).
  Status watch(int fd, uint32_t events, const char* name, OnReady fn);
  Status modify(int fd, uint32_t events);
  /// Safe from within any callback, also the fd's own.
  void forget(int fd);

  TimerId after_ms(int64_t delay_ms, const char* name, OnTimer fn);
  void cancel(TimerId id);

  /// Blocks the signals and calls `fn(signo, sender pid)` for each from the loop. Call once.
  Status on_signals(std::initializer_list<int> signals, std::function<void(int, int)> fn);

  /// Runs at the end of each turn.
  void on_turn_end(std::function<void()> fn) { turn_end_ = std::move(fn); }
  /// Runs once when nothing has happened for `after_ms`, and again after the next time.
  void on_idle(int after_ms, OnTimer fn) {
    idle_ms_ = after_ms;
    idle_ = std::move(fn);
  }
  /// Called with (callback name, microseconds) for callbacks above 5 ms.
  void on_slow(std::function<void(const char*, int64_t)> fn) { slow_ = std::move(fn); }

  /// Runs `fn` in this turn, after the callback that is running and before turn_end.
  void defer(OnTimer fn);

  void run();  // until stop()
  void stop() { stopping_ = true; }

 private:
  struct Watch {
    const char* name;
    OnReady fn;
    uint64_t generation;
  };
  struct Timer {
    const char* name;
    OnTimer fn;
  };
  Loop() = default;
  void turn();
  void run_timers();
  void run_deferred();
  void arm();
  template <class F>
  void timed(const char* name, F&& f);

  Fd epoll_;
  Fd timer_;
  Fd signals_;
  std::unordered_map<int, std::shared_ptr<Watch>> watches_;
  std::map<std::pair<int64_t, TimerId>, Timer> timers_;  // (due monotonic us, id)
  std::unordered_map<TimerId, int64_t> due_;
  std::vector<OnTimer> deferred_;
  uint64_t next_id_ = 1;
  int64_t armed_us_ = 0;  // what the timerfd is set to, 0: nothing
  bool stopping_ = false;
  int idle_ms_ = -1;
  bool idle_told_ = false;
  OnTimer idle_;
  std::function<void()> turn_end_;
  std::function<void(const char*, int64_t)> slow_;
  std::function<void(int, int)> on_signal_;
};

}  // namespace codexos
