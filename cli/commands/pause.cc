// SPDX-License-Identifier: Apache-2.0
// codexos pause: the processes of tasks stand still.
#include "cli/commands/all.h"
#include "cli/tasks.h"

namespace codexos::cli {
Result<int> pause_tasks(Context& ctx, const Invocation& inv) {
  return post_to_each(ctx, inv, "pause", "");
}

}  // namespace codexos::cli
