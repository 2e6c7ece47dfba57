// SPDX-License-Identifier: Apache-2.0
// The shim's part in closing the overlay's seams: it holds the listener of the notify filter, forks
// the worker that answers (seam_worker.h) when a first call waits, so that a start costs nothing,
// and forks another when that one has gone: idle, or killed from inside. Nothing waits for ever:
// what a killed worker left, or what cannot be answered, is let through as it came.
#pragma once

#include <sys/types.h>
#include <time.h>

#include <vector>

#include "core/base/error.h"
#include "core/base/fd.h"
#include "daemon/exec/poll_set.h"
#include "daemon/exec/seam_worker.h"

namespace codexos::exec {

/// What seccomp(2) gave for the notify program.
struct SeamsListener {
  Fd fd;                      // none: the seams stay open
  bool callers_stay = false;  // SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV is in force
};

/// Loads the program into this process and all that it starts. Nothing, and no error, where the
/// kernel has a listener on it already.
Result<SeamsListener> listen_for_seams(const void* program, size_t bytes);

class Seams {
 public:
  /// `cgroup`: cgroup.procs files of the task, which its worker joins.
  Seams(SeamsListener listener, std::vector<int> cgroup);
  ~Seams();
  Seams(const Seams&) = delete;
  Seams& operator=(const Seams&) = delete;

  void watch(PollSet& polls);
  void react(const PollSet& polls);
  /// True when it was ours that ended.
  bool on_child(pid_t pid);
  /// The task is over: no worker is started any more.
  void close() { listener_.fd.reset(); }
  /// When all processes of the task have gone: starts one that removes what a worker had not
  /// finished. True: it must be waited for.
  bool clean_up();

 private:
  void start_worker();
  [[noreturn]] void be_worker(int reader);
  void answer_all();

  SeamsListener listener_;
  std::vector<int> cgroup_;
  timespec began_{};
  SeamsShared* shared_ = nullptr;
  bool closed_ = false;  // an unmarked process was let through
  pid_t worker_ = 0;
  Fd reader_;
  int listener_poll_ = -1;
  int reader_poll_ = -1;
};

}  // namespace codexos::exec
