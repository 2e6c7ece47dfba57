// SPDX-License-Identifier: Apache-2.0
// codexos undo: takes the last apply (or undo) of a task back.
#include "cli/client.h"
#include "cli/commands/all.h"
#include "cli/commands/apply_text.h"
#include "cli/render.h"
#include "cli/tasks.h"

namespace codexos::cli {
namespace {

Result<std::string> task_of(Context& ctx, Client& client, const Invocation& inv) {
  if (!inv.words.empty() && inv.words[0] != "last") return inv.words[0];
  CODEXOS_ASSIGN(const std::string cwd, current_folder());
  CODEXOS_ASSIGN(const auto task,
                 client.fetch<wire::Task>(Request{"GET", "/v1/applied/last", {{"cwd", cwd}}, {}}));
  say_which(ctx, task, "applied last in");
  return task.id;
}

}  // namespace

Result<int> undo_task(Context& ctx, const Invocation& inv) {
  wire::UndoBody body;
  body.dry_run = inv.has("dry-run");
  body.on_conflict = *find_enum<wire::OnConflict>(inv.value("on-conflict", "fail"));
  Client client(ctx);
  CODEXOS_ASSIGN(const std::string task, task_of(ctx, client, inv));
  CODEXOS_ASSIGN(
      const std::string reply,
      client.call(
          Request{"POST", task_path(task, "undo"), {}, json::encode(body, json::Defaults::omit)}));
  CODEXOS_ASSIGN(const auto result, json::decode<wire::ApplyResult>(reply, json::Unknown::ignore));
  return tell_outcome(ctx, "undo", reply, result);
}

}  // namespace codexos::cli
