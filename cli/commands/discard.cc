// SPDX-License-Identifier: Apache-2.0
// codexos discard: throws a task's changes away.
#include <fmt/core.h>

#include "cli/client.h"
#include "cli/commands/all.h"
#include "cli/commands/apply_text.h"
#include "cli/render.h"

namespace codexos::cli {

Result<int> discard_task(Context& ctx, const Invocation& inv) {
  Client client(ctx);
  wire::DiscardBody body;
  CODEXOS_ASSIGN(body.paths, given_paths(inv));
  CODEXOS_ASSIGN(const std::string name, task_with_changes(ctx, client, inv));
  CODEXOS_ASSIGN(
      const std::string reply,
      client.call(Request{
          "POST", task_path(name, "discard"), {}, json::encode(body, json::Defaults::omit)}));
  CODEXOS_ASSIGN(const auto task, json::decode<wire::Task>(reply, json::Unknown::ignore));
  constexpr std::string_view kNothing = "no changes waited";
  for (const std::string& note : task.notes)
    if (note == kNothing && !ctx.globals.quiet) say(fmt::format("task {}: {}", task.id, note));
  CODEXOS_TRY(print_line(ctx.globals.json ? reply : task.id));
  return 0;
}

}  // namespace codexos::cli
