// SPDX-License-Identifier: Apache-2.0
// Gives a finished Plan to a helper: the View is what it is, or will be, parked with, the Job goes
// behind it without waiting. Knows nothing of tasks' states: whoever launches listens on the link.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/fd.h"
#include "core/base/landlock_plan.h"
#include "core/base/plan.h"
#include "daemon/sandbox/helpers.h"
#include "daemon/sandbox/idmap.h"

namespace codexos::daemon {

class Launcher {
 public:
  Launcher(Helpers& helpers, Idmapper& idmapper) : helpers_(helpers), idmapper_(idmapper) {}

  /// `fds`: the job's descriptors; job's members name them by index. They stay the caller's: a
  /// second helper gets them too when the first one dies before it runs anything. Error
  /// unavailable: this cannot be isolated here.
  enum class Choice { parked, fresh };
  Result<std::unique_ptr<Helper>> launch(const View& view, Job job, const std::vector<Fd>& fds,
                                         Choice choice = Choice::parked,
                                         const std::string& ahead = {});
  /// A task without namespaces: a process of its own, which nobody parks. `plan` without its job.
  Result<std::unique_ptr<Helper>> launch_alone(LandlockPlan plan, Job job,
                                               const std::vector<Fd>& fds);
  /// Has a parked helper mount the one overlay that its job will probably have, under that name.
  Status mount_ahead(Helper& h, Overlay overlay, std::string ahead, std::shared_ptr<void> hold);
  /// What was given as `hold` to the helper that launch() would take for this job; null: none.
  std::shared_ptr<void> ready_for(const View& view, const Job& job, const std::string& ahead);

 private:
  Helpers& helpers_;
  Idmapper& idmapper_;
};

/// codexos-exec of this build: $CODEXOS_EXEC, else ../libexec/codexos/codexos-exec or codexos-exec
/// beside `daemon_path`. Error not_found names the places.
Result<std::string> find_exec(const std::string& daemon_path, const char* codexos_exec_env);

}  // namespace codexos::daemon
