// SPDX-License-Identifier: Apache-2.0
// codexos daemon stop: asks the daemon to end and waits until it has.
#include <fmt/core.h>
#include <poll.h>

#include "cli/client.h"
#include "cli/commands/all.h"
#include "cli/commands/daemon_text.h"
#include "cli/render.h"
#include "core/os/spawn.h"

namespace codexos::cli {
Result<int> stop_daemon(Context& ctx, const Invocation&) {
  constexpr int kPatienceMs = 10000;
  CODEXOS_ASSIGN(const auto before, find_daemon(ctx));
  if (!before) {
    if (!ctx.globals.quiet) say("it does not run");
    return 0;
  }
  // Taken before the request, so that the number cannot have gone to another process.
  const auto process = open_pidfd(before->pid);
  Client client(ctx);
  client.autostart(Autostart::no);
  CODEXOS_ASSIGN(const std::string body, client.call(Request{"POST", "/v1/daemon/stop", {}, {}}));
  if (process.ok()) {
    pollfd p{process->get(), POLLIN, 0};
    if (poll(&p, 1, kPatienceMs) == 0)
      return Error{
          Code::timeout, fmt::format("pid {} still runs after 10 seconds", before->pid), {}};
  }
  if (ctx.globals.json) CODEXOS_TRY(print_line(body));
  return 0;
}

}  // namespace codexos::cli
