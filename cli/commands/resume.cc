// SPDX-License-Identifier: Apache-2.0
// codexos resume: paused tasks go on.
#include "cli/commands/all.h"
#include "cli/tasks.h"

namespace codexos::cli {
Result<int> resume_tasks(Context& ctx, const Invocation& inv) {
  return post_to_each(ctx, inv, "resume", "");
}

}  // namespace codexos::cli
