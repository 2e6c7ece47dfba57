// SPDX-License-Identifier: Apache-2.0
// The shim's part in closing the overlay's seams: it holds the listener of the notify filter, forks
// the worker that answers (seam_worker.h) when a first call waits, so that a start costs nothing,
// and forks another when that one has gone: idle, or killed from inside. Nothing waits for ever:
// what a killed worker left, or what cannot be answered, is let through as it came.
#pragma once

#include <sys/types.h>
#include <time.h>

#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/base/fd.h"
#include "daemon/exec/poll_set.h"
#include "daemon/exec/seam_caller.h"
#include "daemon/exec/seam_worker.h"

namespace codexos::exec {

/// What seccomp(2) gave for the notify program.
struct CallListener {
  Fd fd;                      // none: the seams stay open
  bool callers_stay = false;  // SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV is in force
};

/// Loads the program into this process and all that it starts. Nothing, and no error, where the
/// kernel has a listener on it already.
Result<CallListener> listen_for_calls(const void* program, size_t bytes);

class Seams {
 public:
  /// `cgroup`: cgroup.procs files of the task, which its worker joins.
  Seams(CallListener listener, std::vector<int> cgroup);
  ~Seams();
  Seams(const Seams&) = delete;
  Seams& operator=(const Seams&) = delete;

  /// From now on this one, with a worker at once: it tells which paths are looked for in vain.
  void learn(CallListener listener);
  /// Serves its worker until `fd` is readable.
  void serve_until(int fd);

  void watch(PollSet& polls);
  void react(const PollSet& polls);
  /// True when it was ours that ended.
  bool on_child(pid_t pid);
  /// The task is over: no worker is started any more.
  void close() { listener_.fd.reset(); }
  /// When all processes of the task have gone: starts one that removes what a worker had not
  /// finished. True: it must be waited for.
  bool clean_up();
  /// What was refused since the last time.
  std::vector<RefusedCall> take_refused() { return std::exchange(refused_, {}); }

 private:
  void start_worker();
  [[noreturn]] void be_worker(int reader);
  void answer_all();

  CallListener listener_;
  std::vector<int> cgroup_;
  timespec began_{};
  SeamsShared* shared_ = nullptr;
  bool closed_ = false;  // an unmarked process was let through
  pid_t worker_ = 0;
  Fd reader_;
  std::vector<RefusedCall> refused_;
  int listener_poll_ = -1;
  int reader_poll_ = -1;
};

}  // namespace codexos::exec
