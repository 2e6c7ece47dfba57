// SPDX-License-Identifier: Apache-2.0
// codexos stop: TERM, after a grace time KILL. The daemon answers when the task has ended.
#include "cli/commands/all.h"
#include "cli/tasks.h"
#include "cli/values.h"

namespace codexos::cli {
Result<int> stop_tasks(Context& ctx, const Invocation& inv) {
  wire::StopBody body;
  if (inv.has("grace")) {
    auto ms = parse_duration(inv.value("grace"));
    if (!ms.ok()) return std::move(ms).error().during("--grace");
    body.grace_ms = *ms;
  }
  return post_to_each(ctx, inv, "stop", json::encode(body, json::Defaults::omit));
}

}  // namespace codexos::cli
