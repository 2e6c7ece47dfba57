// SPDX-License-Identifier: Apache-2.0
// Effects that must not happen before their intent is on disk: GO messages, acknowledgements. They
// wait here for the commit at the end of the loop turn.
#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "core/base/error.h"

namespace codexos::daemon {

class AfterCommit {
 public:
  using Done = std::function<void()>;
  using Failed = std::function<void(const Error&)>;

  /// `failed` runs instead when the commit failed and the turn was rolled back; may be null.
  void add(Done done, Failed failed = nullptr) {
    waiting_.push_back(Effect{std::move(done), std::move(failed)});
  }
  bool empty() const { return waiting_.empty(); }
  void committed() {
    for (auto& e : std::exchange(waiting_, {})) e.done();
  }
  void rolled_back(const Error& why) {
    for (auto& e : std::exchange(waiting_, {}))
      if (e.failed) e.failed(why);
  }

 private:
  struct Effect {
    Done done;
    Failed failed;
  };
  std::vector<Effect> waiting_;
};

}  // namespace codexos::daemon
