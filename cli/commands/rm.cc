// SPDX-License-Identifier: Apache-2.0
// codexos rm: forgets tasks, with logs and held-back changes.
#include "cli/client.h"
#include "cli/commands/all.h"
#include "cli/render.h"
#include "cli/tasks.h"
#include "core/wire/task.h"

namespace codexos::cli {
Result<int> remove_tasks(Context& ctx, const Invocation& inv) {
  Client client(ctx);
  std::map<std::string, std::string> query;
  if (inv.has("force")) query["force"] = "1";
  return for_each_task(ctx, inv, [&](const std::string& name) -> Status {
    CODEXOS_ASSIGN(const std::string reply,
                   client.call(Request{"DELETE", task_path(name), query, {}}));
    if (ctx.globals.json) return print_line(reply);
    CODEXOS_ASSIGN(const auto task, json::decode<wire::Task>(reply, json::Unknown::ignore));
    return print_line(task.id);
  });
}

}  // namespace codexos::cli
