// SPDX-License-Identifier: Apache-2.0
// Wakes those who follow a task's events or output. It carries no events: a follower reads the
// store from its own cursor, so it can miss nothing and see nothing that is not committed.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>

namespace codexos::daemon {

class Feed {
 public:
  using Id = uint64_t;
  /// `task` empty: every task.
  Id subscribe(std::string task, std::function<void()> fn) {
    followers_.emplace(++last_, Follower{std::move(task), std::move(fn)});
    return last_;
  }
  void unsubscribe(Id id) { followers_.erase(id); }
  /// Something about `task` changed in this turn.
  void mark(const std::string& task) { changed_.insert(task); }
  /// After the commit: calls the followers of what was marked.
  void publish() {
    if (changed_.empty()) return;
    const auto changed = std::exchange(changed_, {});
    std::set<Id> due;
    for (const auto& [id, f] : followers_)
      if (f.task.empty() || changed.count(f.task) != 0) due.insert(id);
    for (const Id id : due) {
      const auto it = followers_.find(id);  // an earlier one may have unsubscribed it
      if (it == followers_.end()) continue;
      const auto fn = it->second.fn;
      fn();
    }
  }
  void forget_marks() { changed_.clear(); }

 private:
  struct Follower {
    std::string task;
    std::function<void()> fn;
  };
  std::map<Id, Follower> followers_;
  std::set<std::string> changed_;
  Id last_ = 0;
};

}  // namespace codexos::daemon
