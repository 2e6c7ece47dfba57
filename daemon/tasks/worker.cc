// SPDX-License-Identifier: Apache-2.0
#include "daemon/tasks/worker.h"

#include <signal.h>

#include <utility>

#include "core/base/log.h"
#include "core/os/file.h"

namespace codexos::daemon {

Result<std::unique_ptr<Worker>> Worker::make(Loop& loop) {
  std::unique_ptr<Worker> w(new Worker());
  CODEXOS_ASSIGN(w->answers_, Mailbox::make(loop, "worker"));
  return w;
}

Worker::~Worker() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  more_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Worker::submit(Work work) {
  const std::lock_guard lock(mutex_);
  work_.push_back(std::move(work));
  if (!thread_.joinable()) {  // an idle daemon has no second stack
    // Signals belong to the loop's signalfd: the thread must not take them.
    sigset_t all;
    sigset_t old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    thread_ = std::thread([this] { run(); });
    pthread_sigmask(SIG_SETMASK, &old, nullptr);
  }
  more_.notify_one();
}

void Worker::remove(std::string path) {
  submit([path = std::move(path)]() -> Answer {
    const auto removed = remove_tree(path);
    if (!removed.ok()) log_line(LogLevel::warning, "worker", removed.error().message);
    return nullptr;
  });
}

void Worker::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    more_.wait(lock, [this] { return stopping_ || !work_.empty(); });
    if (stopping_) return;
    Work work = std::move(work_.front());
    work_.pop_front();
    lock.unlock();
    if (Answer answer = work()) answers_->post(std::move(answer));
    lock.lock();
  }
}

}  // namespace codexos::daemon
