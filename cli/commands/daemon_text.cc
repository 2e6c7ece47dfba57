// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/daemon_text.h"

#include <fmt/core.h>

#include "cli/render.h"

namespace codexos::cli {

std::string daemon_text(const wire::DaemonStatus& s) {
  if (!s.running) return fmt::format("not running ({})\n", s.socket);
  return fmt::format(
      "codexosd {} runs, pid {}, for {}\n"
      "{} running, {} prepared ahead\n"
      "socket {}\n",
      s.version, s.pid, span_text(s.uptime_ms * 1000),
      s.tasks_running == 1 ? std::string("1 task") : fmt::format("{} tasks", s.tasks_running),
      s.helpers_parked == 1 ? std::string("1 sandbox")
                            : fmt::format("{} sandboxes", s.helpers_parked),
      s.socket);
}

Result<std::optional<wire::DaemonStatus>> find_daemon(Context& ctx) {
  Client client(ctx);
  client.autostart(Autostart::no);
  auto s = client.fetch<wire::DaemonStatus>(Request{"GET", "/v1/status", {}, {}});
  if (s.ok()) return std::optional(*std::move(s));
  if (s.error().code == Code::unavailable && !ctx.problem)
    return std::optional<wire::DaemonStatus>();
  return std::move(s).error();
}

}  // namespace codexos::cli
