// SPDX-License-Identifier: Apache-2.0
// codexos status: the daemon and its tasks; starts the daemon like any other command.
#include "cli/client.h"
#include "cli/commands/all.h"
#include "cli/commands/daemon_text.h"
#include "cli/render.h"

namespace codexos::cli {
Result<int> show_status(Context& ctx, const Invocation&) {
  Client client(ctx);
  CODEXOS_ASSIGN(const std::string body, client.call(Request{"GET", "/v1/status", {}, {}}));
  if (ctx.globals.json) {
    CODEXOS_TRY(print_line(body));
    return 0;
  }
  CODEXOS_ASSIGN(const auto s, json::decode<wire::DaemonStatus>(body, json::Unknown::ignore));
  CODEXOS_TRY(print(daemon_text(s)));
  return 0;
}

}  // namespace codexos::cli
