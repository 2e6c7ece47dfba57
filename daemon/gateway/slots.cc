// SPDX-License-Identifier: Apache-2.0
#include "daemon/gateway/slots.h"

#include <algorithm>

#include "core/base/clock.h"

namespace codexos::daemon {
namespace {

constexpr int64_t kMinuteUs = 60'000'000;

}  // namespace

Slots::~Slots() {
  for (auto& [name, q] : queues_)
    if (q.timer != 0) loop_.cancel(q.timer);
}

bool Slots::enter(const Provider& p, uint64_t who, std::function<void()> go) {
  Queue& q = queues_[p.name];
  q.most = p.max_concurrent;
  q.each_minute = p.requests_per_minute;
  if (q.waiting.size() >= kMaxWaiting) return false;
  q.waiting.push_back({who, std::move(go)});
  pump(q);
  return true;
}

void Slots::leave(const std::string& provider, uint64_t who) {
  const auto at = queues_.find(provider);
  if (at == queues_.end()) return;
  Queue& q = at->second;
  if (q.inside.erase(who) == 0) {
    q.waiting.erase(std::remove_if(q.waiting.begin(), q.waiting.end(),
                                   [who](const Waiting& w) { return w.who == who; }),
                    q.waiting.end());
    return;
  }
  pump(q);
}

void Slots::pump(Queue& q) {
  while (!q.waiting.empty() && q.inside.size() < q.most) {
    if (q.each_minute != 0) {
      const int64_t now = monotonic_us();
      while (!q.recent_us.empty() && q.recent_us.front() <= now - kMinuteUs)
        q.recent_us.pop_front();
      if (q.recent_us.size() >= q.each_minute) {
        if (q.timer == 0)
          q.timer = loop_.after_ms((q.recent_us.front() + kMinuteUs - now) / 1000 + 1,
                                   "provider's rate", [this, queue = &q] {
                                     queue->timer = 0;
                                     pump(*queue);
                                   });
        return;
      }
      q.recent_us.push_back(now);
    }
    const Waiting next = std::move(q.waiting.front());
    q.waiting.pop_front();
    q.inside[next.who] = true;
    next.go();
  }
}

}  // namespace codexos::daemon
