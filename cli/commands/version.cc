// SPDX-License-Identifier: Apache-2.0
// codexos version: of this program, and of the daemon where one answers (it is not started).
#include <fmt/core.h>

#include "cli/commands/all.h"
#include "cli/commands/daemon_text.h"
#include "cli/render.h"
#include "core/base/version.h"

namespace codexos::cli {
Result<int> print_version(Context& ctx, const Invocation&) {
  wire::Version v;
  v.version = kVersion;
  v.build_id = kBuildId;
  // A daemon that cannot be asked is no reason not to tell our own version.
  if (const auto d = find_daemon(ctx); d.ok() && *d) {
    v.daemon_version = (*d)->version;
    v.daemon_build_id = (*d)->build_id;
  }
  if (ctx.globals.json) {
    CODEXOS_TRY(print_line(json::encode(v)));
    return 0;
  }
  std::string out = fmt::format("codexos {} ({})\n", v.version, v.build_id);
  if (!v.daemon_version.empty() && !ctx.globals.quiet)
    out += fmt::format("codexosd {} ({})\n", v.daemon_version, v.daemon_build_id);
  CODEXOS_TRY(print(out));
  return 0;
}

}  // namespace codexos::cli
