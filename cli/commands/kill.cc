// SPDX-License-Identifier: Apache-2.0
// codexos kill: a signal; KILL, the default, is answered when the task has ended.
#include "cli/commands/all.h"
#include "cli/tasks.h"
#include "cli/values.h"

namespace codexos::cli {
Result<int> kill_tasks(Context& ctx, const Invocation& inv) {
  wire::StopBody body;
  if (inv.has("signal")) {
    auto signal = parse_signal(inv.value("signal"));
    if (!signal.ok()) return std::move(signal).error().during("--signal");
    body.signal = *signal;
  }
  return post_to_each(ctx, inv, "kill", json::encode(body, json::Defaults::omit));
}

}  // namespace codexos::cli
