// SPDX-License-Identifier: Apache-2.0
// codexos wait: ends with the tasks, and exits as the last one's program did.
#include "cli/client.h"
#include "cli/commands/all.h"
#include "cli/render.h"
#include "cli/session.h"
#include "cli/tasks.h"

namespace codexos::cli {

Result<int> wait_for_tasks(Context& ctx, const Invocation& inv) {
  Client client(ctx);
  int code = 0;
  for (const std::string& name : inv.words) {
    CODEXOS_ASSIGN(const std::string line, wait_for_end(client, name));
    CODEXOS_ASSIGN(const auto task, json::decode<wire::Task>(line, json::Unknown::ignore));
    if (ctx.globals.json) CODEXOS_TRY(print_line(line));
    code = exit_code_of_task(task);
  }
  return code;
}

}  // namespace codexos::cli
