// SPDX-License-Identifier: Apache-2.0
// codexos prune: forgets ended tasks. With --all the tasks whose changes wait are listed first; on
// a terminal a question comes before they are lost.
#include <fmt/core.h>
#include <unistd.h>

#include "cli/client.h"
#include "cli/commands/all.h"
#include "cli/render.h"
#include "cli/tasks.h"
#include "core/wire/daemon.h"

namespace codexos::cli {
namespace {

Result<wire::PruneResult> ask_daemon(Client& client, bool all, bool dry_run) {
  wire::PruneBody body;
  body.all = all;
  body.dry_run = dry_run;
  return client.fetch<wire::PruneResult>(
      Request{"POST", "/v1/prune", {}, json::encode(body, json::Defaults::omit)});
}

bool confirmed() {
  (void)print_to(2, "remove them? [y/N] ");
  char answer = 'n';
  return read(STDIN_FILENO, &answer, 1) == 1 && (answer == 'y' || answer == 'Y');
}

/// False: the user said no.
Result<bool> list_losses(Client& client, const Invocation& inv) {
  CODEXOS_ASSIGN(const auto would, ask_daemon(client, true, true));
  if (would.waiting.empty()) return true;
  say(would.waiting.size() == 1
          ? "one task has changes that were not applied:"
          : fmt::format("{} tasks have changes that were not applied:", would.waiting.size()));
  for (const std::string& id : would.waiting) (void)print_to(2, fmt::format("  {}\n", id));
  const bool ask = isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1 && !inv.has("force");
  return !ask || confirmed();
}

std::string text_of(const wire::PruneResult& r, bool dry_run) {
  std::string out;
  for (const std::string& id : r.removed) out += id + "\n";
  out += fmt::format("{} {} {}, {} {}\n", dry_run ? "would remove" : "removed", r.removed.size(),
                     r.removed.size() == 1 ? "task" : "tasks", size_text(r.freed_bytes),
                     dry_run ? "to be given back" : "given back");
  return out;
}

}  // namespace

Result<int> prune(Context& ctx, const Invocation& inv) {
  Client client(ctx);
  const bool all = inv.has("all");
  const bool dry_run = inv.has("dry-run");
  if (all && !dry_run) {
    CODEXOS_ASSIGN(const bool go_on, list_losses(client, inv));
    if (!go_on) return 1;
  }
  CODEXOS_ASSIGN(const auto result, ask_daemon(client, all, dry_run));
  std::string out;
  if (ctx.globals.json) {
    out = json::encode(result) + "\n";
  } else if (ctx.globals.quiet) {
    for (const std::string& id : result.removed) out += id + "\n";
  } else {
    out = text_of(result, dry_run);
    if (!all && !result.waiting.empty())
      say(fmt::format("{} {} kept, since changes wait", result.waiting.size(),
                      result.waiting.size() == 1 ? "task is" : "tasks are"));
  }
  CODEXOS_TRY(print(out));
  return 0;
}

}  // namespace codexos::cli
