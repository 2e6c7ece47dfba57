// SPDX-License-Identifier: Apache-2.0
// Functions that one thread has run in the loop of another, in order.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "core/base/error.h"
#include "core/base/fd.h"
#include "core/os/loop.h"

namespace codexos {

class Mailbox {
 public:
  using Letter = std::function<void()>;

  /// `loop` is the one that runs them.
  static Result<std::unique_ptr<Mailbox>> make(Loop& loop, const char* name);
  ~Mailbox();
  /// From any thread.
  void post(Letter letter);
  /// What was posted is run now. In the thread of the loop.
  void deliver();

 private:
  explicit Mailbox(Loop& loop) : loop_(loop) {}

  Loop& loop_;
  Fd wake_;
  std::mutex mutex_;
  std::vector<Letter> letters_;
};

}  // namespace codexos
