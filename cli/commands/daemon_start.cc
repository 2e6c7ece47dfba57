// SPDX-License-Identifier: Apache-2.0
// codexos daemon start.
#include <fmt/core.h>

#include "cli/client.h"
#include "cli/commands/all.h"
#include "cli/commands/daemon_text.h"
#include "cli/render.h"
#include "cli/start.h"

namespace codexos::cli {
Result<int> start_daemon(Context& ctx, const Invocation&) {
  if (!ctx.globals.socket.empty())
    return Error{Code::invalid, "--socket names a daemon that runs already",
                 "CODEXOS_HOME=DIR codexos daemon start"};
  CODEXOS_ASSIGN(auto before, find_daemon(ctx));
  if (!before) {
    CODEXOS_ASSIGN(const Place place, Client(ctx).place());
    CODEXOS_ASSIGN(const Fd connection, connect_or_start(place, Start::always));
  } else if (!ctx.globals.quiet) {
    say("it runs already");
  }
  CODEXOS_ASSIGN(const auto now, find_daemon(ctx));
  if (!now) return Error{Code::unavailable, "the daemon ended again", {}};
  if (ctx.globals.json) {
    CODEXOS_TRY(print_line(json::encode(*now)));
  } else if (!ctx.globals.quiet) {
    CODEXOS_TRY(print(fmt::format("codexosd {} runs, pid {}\n", now->version, now->pid)));
  }
  return 0;
}

}  // namespace codexos::cli
