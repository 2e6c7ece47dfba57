// SPDX-License-Identifier: Apache-2.0
// codexos health: whether tasks can be started.
#include <fmt/core.h>

#include "cli/client.h"
#include "cli/commands/all.h"
#include "cli/escape.h"
#include "cli/render.h"
#include "core/wire/daemon.h"

namespace codexos::cli {
Result<int> show_health(Context& ctx, const Invocation&) {
  constexpr int kUnhealthy = 503;  // with the same document
  Client client(ctx);
  const Request r{"GET", "/v1/health", {}, {}};
  CODEXOS_ASSIGN(const http::Response reply, client.exchange(r));
  if (reply.status != 200 && reply.status != kUnhealthy) {
    CODEXOS_ASSIGN(const std::string body, client.call(r));
  }
  CODEXOS_ASSIGN(const auto h, json::decode<wire::Health>(reply.body, json::Unknown::ignore));
  if (ctx.globals.json) {
    CODEXOS_TRY(print(reply.body + (reply.body.ends_with('\n') ? "" : "\n")));
  } else if (!ctx.globals.quiet) {
    CODEXOS_TRY(print(fmt::format("database      {}\nstate folder  {}\nisolation     {}\n",
                                  printable(h.database), printable(h.state_folder),
                                  printable(h.isolation))));
  }
  return h.ok ? 0 : kFoundProblems;
}

}  // namespace codexos::cli
