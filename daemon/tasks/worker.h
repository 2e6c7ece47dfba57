// SPDX-License-Identifier: Apache-2.0
// One thread for slow work that owns no state: removing trees, walking large layers. A job gets
// values and gives a function that runs in the loop with the result.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "core/base/error.h"
#include "core/os/loop.h"
#include "core/os/mailbox.h"

namespace codexos::daemon {

class Worker {
 public:
  using Answer = std::function<void()>;  // runs in the loop
  using Work = std::function<Answer()>;  // runs in the thread

  static Result<std::unique_ptr<Worker>> make(Loop& loop);
  /// Finishes the work that runs; what has not begun is dropped (it is safe to repeat at start).
  ~Worker();
  void submit(Work work);
  /// Removes a tree; what cannot be removed is logged.
  void remove(std::string path);

 private:
  Worker() = default;
  void run();

  std::unique_ptr<Mailbox> answers_;
  std::mutex mutex_;
  std::condition_variable more_;
  std::deque<Work> work_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace codexos::daemon
