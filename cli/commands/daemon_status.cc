// SPDX-License-Identifier: Apache-2.0
// codexos daemon status: never starts it. With --json the document is there in either case; the
// exit code is 7 when no daemon answers.
#include "cli/client.h"
#include "cli/commands/all.h"
#include "cli/commands/daemon_text.h"
#include "cli/render.h"

namespace codexos::cli {
Result<int> daemon_status(Context& ctx, const Invocation&) {
  CODEXOS_ASSIGN(const auto found, find_daemon(ctx));
  wire::DaemonStatus s;
  if (found) {
    s = *found;
  } else {
    CODEXOS_ASSIGN(const Place place, Client(ctx).place());
    s.socket = place.socket;
    s.home = place.home;
  }
  if (ctx.globals.json) {
    CODEXOS_TRY(print_line(json::encode(s)));
  } else if (!ctx.globals.quiet) {
    CODEXOS_TRY(print(daemon_text(s)));
  }
  return s.running ? 0 : wire::code_row(Code::unavailable).exit_code;
}

}  // namespace codexos::cli
