// SPDX-License-Identifier: Apache-2.0
// The parked helpers: sandboxes prepared ahead, each with a View and no task. One is used once,
// only for a task whose view has the same key, and only while it lives. A miss starts a fresh
// helper and does not wait for it. Refilling waits until no start is under way, since building a
// sandbox beside a start makes that start 20 % slower on two cores; a helper that fails makes
// refilling back off. Helpers die with the daemon: their link closes.
#pragma once

#include <sys/types.h>

#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/fd.h"
#include "core/base/frames.h"
#include "core/base/plan.h"
#include "core/os/loop.h"
#include "daemon/sandbox/idmap.h"
#include "daemon/sandbox/link.h"

namespace codexos::daemon {

/// One `codexos-exec --helper`: a link, and the process at its other end as soon as it told it.
struct Helper {
  std::unique_ptr<Link> link;
  std::string key;
  PidInfo process;  // pid 0: not told yet. In our pid namespace.
  Fd pidfd;
  bool parked = false;
};

/// Reads a `pid` message into `h`: the process's descriptor comes with it, and the pid is taken
/// from there, in our own pid namespace. Error invalid: no pidfd.
Status note_process(Helper& h, LinkMessage& m);

struct HelperOptions {
  std::string exec_path;
  size_t parked = 2;         // of the view that was used last; 0: nothing is parked
  int64_t refill_ms = 3;     // after the last start
  int64_t backoff_ms = 100;  // after a failed helper, doubled up to a minute
};

class Helpers {
 public:
  Helpers(Loop& loop, Idmapper& idmapper, HelperOptions options);

  /// A helper for `view`: a parked one, or a fresh one whose `parked` answer is still to come. The
  /// caller sets its link's handlers before the next turn. Error: it could not be started.
  Result<std::unique_ptr<Helper>> take(const View& view);
  /// A start is under way, until done() is called as often.
  void start_begins() { ++starting_; }
  void start_done();
  /// Makes helpers for `view` when nothing else happens (at start, before the first task).
  void prepare(const View& view);
  size_t parked() const;
  /// Why the last helper that should have been parked was not, or ok.
  Status last_error() const {
    return last_error_.empty() ? Status() : Error{Code::unavailable, last_error_, {}};
  }
  /// Ends all parked helpers.
  void clear();

 private:
  Result<std::unique_ptr<Helper>> start(const View& view);
  void schedule_refill(int64_t delay_ms);
  void refill();
  void park_one();
  void on_message(Helper* h, LinkMessage& m);
  void on_lost(Helper* h, const std::string& why);
  std::optional<std::unique_ptr<Helper>> find_parked(const std::string& key);

  Loop& loop_;
  Idmapper& idmapper_;
  HelperOptions options_;
  std::list<std::unique_ptr<Helper>> pool_;  // parked, or on the way there
  std::optional<View> wanted_;               // what the next task will probably need
  Loop::TimerId timer_ = 0;
  size_t starting_ = 0;
  int failures_ = 0;
  std::string last_error_;
};

}  // namespace codexos::daemon
