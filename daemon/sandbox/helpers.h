// SPDX-License-Identifier: Apache-2.0
// The zygotes, one for each view that is in use, and the helpers that they made ahead: parked
// sandboxes, each with a View and no task. A helper is used once, only for a task whose view has
// the same key, and only while it lives. A miss asks the zygote for a fresh helper and does not
// wait for it. Refilling waits until no start is under way, since building a
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

/// A link to a helper, and the process at its other end as soon as it is told.
struct Helper {
  std::unique_ptr<Link> link;
  Fd wake;  // eventfd(2), a semaphore: written to after each message to a parked helper
  std::string key;
  // An overlay that it has mounted before its job, by the name that who asked for it gave it, and
  // what belongs to that: both end together.
  std::string ahead, ahead_wanted;
  std::shared_ptr<void> ahead_hold;
  PidInfo process;  // pid 0: not told yet. In our pid namespace.
  Fd pidfd;
  bool parked = false;
  std::optional<LinkMessage> network;  // of a parked one: the sockets of its network namespace
};

/// Says by an eventfd(2) that a message is on a link, whose other end sleeps until then. The
/// message alone is taken by the kernel as a hint that the sender is about to sleep (WF_SYNC): the
/// woken one would wait for the sender's processor, where the daemon goes on working.
void wake_by(const Fd& wake);

/// Reads a `pid` message into `h`: the process's descriptor comes with it, and the pid is taken
/// from there, in our own pid namespace. Error invalid: no pidfd.
Status note_process(Helper& h, LinkMessage& m);

struct HelperOptions {
  std::string exec_path;
  std::string template_dir;  // an empty folder of the state that zygotes mount on
  size_t parked = 2;         // of the view that was used last; 0: nothing is parked
  int64_t refill_ms = 3;     // after the last start
  int64_t backoff_ms = 100;  // after a failed helper, doubled up to a minute
};

class Helpers {
 public:
  Helpers(Loop& loop, Idmapper& idmapper, HelperOptions options);

  /// A helper for `view`: a parked one, or a fresh one whose `parked` answer is still to come. The
  /// caller sets its link's handlers before the next turn. `own_units`: the task puts something
  /// into a read-only part of the view, which is then not shared. Error: it could not be started.
  /// `ahead`: has mounted that overlay, where there is one; empty: preferably has none.
  Result<std::unique_ptr<Helper>> take(const View& view, bool own_units, const std::string& ahead);
  /// The parked helper that take() would give for this overlay, or null.
  Helper* with_ahead(const std::string& key, const std::string& ahead);
  /// Called for each helper that was parked and has no overlay.
  void on_parked(std::function<void(Helper&)> fn) { on_parked_ = std::move(fn); }
  /// Calls it for those that there are.
  void offer_parked();
  /// Ends those that have an overlay: others take their places.
  void drop_ahead();
  /// A fresh helper for `view`, whatever is parked; as take().
  Result<std::unique_ptr<Helper>> start(const View& view, bool own_units);
  /// `codexos-exec --landlock`, for one task without namespaces.
  Result<std::unique_ptr<Helper>> start_alone();
  /// A start is under way, until done() is called as often.
  void start_begins() { ++starting_; }
  void start_done();
  /// Makes helpers for `view` when nothing else happens (at start, before the first task).
  void prepare(const View& view);
  size_t parked() const;
  /// Whether any are to be.
  bool parks() const { return options_.parked > 0; }
  /// Why the last helper that should have been parked was not, or ok.
  Status last_error() const {
    return last_error_.empty() ? Status() : Error{Code::unavailable, last_error_, {}};
  }
  /// Ends all parked helpers.
  void clear();

 private:
  struct Zygote {
    uint64_t number = 0;
    std::string key;  // empty: it has refused
    std::unique_ptr<Link> link;
    Fd wake;
  };
  Result<Zygote*> zygote_for(const View& view);
  Result<std::unique_ptr<Zygote>> start_zygote(const View& view);
  void drop_zygote(uint64_t number);
  void retire_zygote(uint64_t number);
  void schedule_refill(int64_t delay_ms);
  void refill();
  void park_one();
  void on_message(Helper* h, LinkMessage& m);
  void on_lost(Helper* h, const std::string& why);
  std::optional<std::unique_ptr<Helper>> find_parked(const std::string& key,
                                                     const std::string& ahead);

  Loop& loop_;
  Idmapper& idmapper_;
  HelperOptions options_;
  std::list<std::unique_ptr<Helper>> pool_;     // parked, or on the way there
  std::list<std::unique_ptr<Zygote>> zygotes_;  // most recently used first
  uint64_t zygotes_made_ = 0;
  std::function<void(Helper&)> on_parked_;
  std::optional<View> wanted_;  // what the next task will probably need
  Loop::TimerId timer_ = 0;
  size_t starting_ = 0;
  int failures_ = 0;
  std::string last_error_;
};

}  // namespace codexos::daemon
