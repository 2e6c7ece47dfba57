// SPDX-License-Identifier: Apache-2.0
#include "core/os/loop.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cerrno>

#include "core/base/clock.h"

namespace codexos {
namespace {

constexpr int64_t kSlowUs = 5000;
constexpr int kBatch = 64;

/// epoll's 64 bits of data: descriptor and the low half of its registration's generation, so that
/// an event of a closed descriptor never reaches the next owner of its number.
uint64_t tag_of(int fd, uint64_t generation) {
  return (generation << 32) | static_cast<uint32_t>(fd);
}

}  // namespace

Result<std::unique_ptr<Loop>> Loop::make() {
  std::unique_ptr<Loop> loop(new Loop());
  loop->epoll_.reset(epoll_create1(EPOLL_CLOEXEC));
  if (!loop->epoll_) return errno_error("epoll_create1", errno);
  loop->timer_.reset(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!loop->timer_) return errno_error("timerfd_create", errno);
  Loop* self = loop.get();
  CODEXOS_TRY(
      loop->watch(loop->timer_.get(), EPOLLIN, "timers", [self](uint32_t) { self->run_timers(); }));
  return loop;
}

Status Loop::watch(int fd, uint32_t events, const char* name, OnReady fn) {
  const uint64_t generation = next_id_++;
  epoll_event event{};
  event.events = events;
  event.data.u64 = tag_of(fd, generation);
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0)
    return errno_error(std::string("watch ") + name, errno);
  watches_[fd] = std::make_shared<Watch>(Watch{name, std::move(fn), generation});
  return {};
}

Status Loop::modify(int fd, uint32_t events) {
  const auto it = watches_.find(fd);
  if (it == watches_.end()) return Error{Code::internal, "modify: descriptor is not watched", {}};
  epoll_event event{};
  event.events = events;
  event.data.u64 = tag_of(fd, it->second->generation);
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event) != 0)
    return errno_error(std::string("modify ") + it->second->name, errno);
  return {};
}

void Loop::forget(int fd) {
  if (watches_.erase(fd) > 0) epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

Loop::TimerId Loop::after_ms(int64_t delay_ms, const char* name, OnTimer fn) {
  const TimerId id = next_id_++;
  const int64_t due = monotonic_us() + (delay_ms > 0 ? delay_ms * 1000 : 0);
  timers_.emplace(std::make_pair(due, id), Timer{name, std::move(fn)});
  due_[id] = due;
  arm();
  return id;
}

void Loop::cancel(TimerId id) {
  const auto it = due_.find(id);
  if (it == due_.end()) return;
  timers_.erase({it->second, id});
  due_.erase(it);
  // The timerfd stays as it is: a wake-up for nothing is cheaper than a call for every cancel.
}

/// Sets the timerfd when the first timer is due earlier than what it is set to.
void Loop::arm() {
  if (timers_.empty()) return;
  const int64_t due = timers_.begin()->first.first;
  if (armed_us_ != 0 && armed_us_ <= due) return;
  itimerspec spec{};
  spec.it_value.tv_sec = due / 1000000;
  spec.it_value.tv_nsec = due % 1000000 * 1000;
  CODEXOS_CHECK(timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &spec, nullptr) == 0);
  armed_us_ = due;
}

void Loop::run_timers() {
  uint64_t expirations = 0;
  while (::read(timer_.get(), &expirations, sizeof expirations) < 0 && errno == EINTR) {
  }
  armed_us_ = 0;
  // Timers that a callback adds with no delay run in the next turn, so that they cannot starve it.
  const int64_t now = monotonic_us();
  const TimerId last = next_id_;
  for (auto it = timers_.begin(); it != timers_.end() && it->first.first <= now;) {
    const auto [due, id] = it->first;
    if (id >= last) {
      ++it;
      continue;
    }
    Timer timer = std::move(it->second);
    timers_.erase(it);
    due_.erase(id);
    timed(timer.name, timer.fn);
    it = timers_.begin();  // the callback may have cancelled any other
  }
  arm();
}

Status Loop::on_signals(std::initializer_list<int> signals, std::function<void(int, int)> fn) {
  CODEXOS_CHECK(!signals_);
  sigset_t set;
  sigemptyset(&set);
  for (const int s : signals) sigaddset(&set, s);
  if (sigprocmask(SIG_BLOCK, &set, nullptr) != 0) return errno_error("sigprocmask", errno);
  signals_.reset(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals_) return errno_error("signalfd", errno);
  on_signal_ = std::move(fn);
  return watch(signals_.get(), EPOLLIN, "signals", [this](uint32_t) {
    signalfd_siginfo info{};
    while (::read(signals_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info))
      on_signal_(static_cast<int>(info.ssi_signo), static_cast<int>(info.ssi_pid));
  });
}

void Loop::defer(OnTimer fn) { deferred_.push_back(std::move(fn)); }

template <class F>
void Loop::timed(const char* name, F&& f) {
  if (!slow_) return f();
  const int64_t begin = monotonic_us();
  f();
  if (const int64_t took = monotonic_us() - begin; took > kSlowUs) slow_(name, took);
}

void Loop::run_deferred() {
  while (!deferred_.empty()) {
    std::vector<OnTimer> batch;
    batch.swap(deferred_);
    for (auto& fn : batch) timed("deferred", fn);
  }
}

void Loop::turn() {
  epoll_event events[kBatch];
  const int wait_ms = deferred_.empty() ? (idle_told_ ? -1 : idle_ms_) : 0;
  const int n = epoll_wait(epoll_.get(), events, kBatch, wait_ms);
  CODEXOS_CHECK(n >= 0 || errno == EINTR);
  if (n == 0 && wait_ms > 0) {
    idle_told_ = true;
    return timed("idle", idle_);
  }
  if (n > 0) idle_told_ = false;
  for (int i = 0; i < n; ++i) {
    const auto it = watches_.find(static_cast<int>(events[i].data.u64 & 0xffffffffU));
    if (it == watches_.end()) continue;
    const std::shared_ptr<Watch> watch = it->second;  // outlives a forget() in its own callback
    if (tag_of(it->first, watch->generation) != events[i].data.u64) continue;
    timed(watch->name, [&] { watch->fn(events[i].events); });
  }
  run_deferred();
  if (turn_end_) timed("turn end", turn_end_);
}

void Loop::run() {
  stopping_ = false;
  while (!stopping_) turn();
}

}  // namespace codexos
