// SPDX-License-Identifier: Apache-2.0
// All processes of a pid namespace stand still at one moment: a cgroup of its own with the freezer
// (Documentation/admin-guide/cgroup-v1/freezer-subsystem.rst; cgroup-v2.rst, cgroup.freeze). A
// sweep with SIGSTOP is no moment: what is swept first can have been written to by what is swept
// last. Where no freezer may be used (an ordinary user without delegation), that is an error.
//
// The cgroup is frozen before anything is put into it, so what comes in stands, and what a process
// forks before its turn comes is found by the next pass.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "core/base/error.h"

namespace codexos {

class Freezer {
 public:
  /// `init`: process 1 of the namespace, which stands still too. `name` is unique on the machine
  /// (a task id). `own`: what the cgroup is called that all but process 1 are in, beside or below
  /// that of process 1, and go back to; where there is none they go to where process 1 was. Error
  /// unavailable: no freezer may be used here; timeout: a process does not stop.
  static Result<Freezer> freeze(pid_t init, const std::string& name, const std::string& own = {});
  /// What a daemon left frozen that died meanwhile.
  static void thaw_left(pid_t init, const std::string& name, const std::string& own = {});

  Freezer(Freezer&& o) noexcept;
  Freezer& operator=(Freezer&&) = delete;
  /// Everything goes on, in the cgroup that it came from.
  ~Freezer();

 private:
  Freezer(std::string dir, std::string home, std::string rest, pid_t init, bool v2)
      : dir_(std::move(dir)),
        home_(std::move(home)),
        rest_(std::move(rest)),
        init_(init),
        v2_(v2) {}
  Status hold(pid_t init);
  Status wait_until_frozen() const;

  std::string dir_;   // the cgroup's folder; empty: moved from
  std::string home_;  // where process 1 goes back to
  std::string rest_;  // where the others go
  pid_t init_ = 0;
  bool v2_ = false;
};

}  // namespace codexos
