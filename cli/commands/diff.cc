// SPDX-License-Identifier: Apache-2.0
// codexos diff: what a task changed, as a patch (streamed as the daemon makes it), as --stat, as
// --name-status or, with --json, as the wire type.
#include <unistd.h>

#include "cli/change_text.h"
#include "cli/client.h"
#include "cli/commands/all.h"
#include "cli/pager.h"
#include "cli/patch_text.h"
#include "cli/render.h"
#include "cli/tasks.h"
#include "cli/terminal.h"

namespace codexos::cli {
namespace {

using Query = std::map<std::string, std::string>;

Query query_of(const Invocation& inv, const TaskAndPaths& what) {
  Query q;
  if (inv.has("all")) q["all"] = "1";
  if (inv.has("stat")) q["stat"] = "1";
  for (size_t i = 0; i < what.paths.size(); ++i)
    q[i == 0 ? "path" : "path" + std::to_string(i)] = what.paths[i];
  return q;
}

void say_incomplete(const Context& ctx, bool more) {
  if (more && !ctx.globals.quiet)
    say("this is not all: too many changes, or a folder that cannot be read; "
        "codexos diff -- PATH shows a part");
}
/// Why there is nothing to see, where it is not that nothing changed.
void say_empty(const Context& ctx, const wire::Task& task) {
  const std::string& state = task.changes_state;
  if (ctx.globals.quiet) return;
  if (state == "direct")
    say("task " + task.id + " wrote through: nothing is held back");
  else if (state == "applied" || state == "discarded" || state == "expired")
    say("the changes of task " + task.id + " were " +
        (state == "expired" ? "removed by retention" : state));
}

/// Whether there are changes.
Result<bool> print_list(Context& ctx, Client& client, const Invocation& inv,
                        const TaskAndPaths& what) {
  const Request request{"GET", task_path(what.task.id, "changes"), query_of(inv, what), {}};
  CODEXOS_ASSIGN(const std::string body, client.call(request));
  CODEXOS_ASSIGN(const auto list, json::decode<wire::ChangeList>(body, json::Unknown::ignore));
  say_incomplete(ctx, list.more);
  if (ctx.globals.json) {
    CODEXOS_TRY(print_line(body));
    return !list.changes.empty();
  }
  const bool terminal = isatty(STDOUT_FILENO) == 1;
  ChangeStyle style;
  style.workspace = what.task.workspace;
  style.width = terminal ? terminal_size(STDOUT_FILENO).cols : 80;
  style.color = wants_color(ctx, STDOUT_FILENO);
  style.neutral = terminal || style.color;
  Pager pager(inv.has("no-pager") ? "" : choose_pager());
  CODEXOS_TRY(pager.write(inv.has("stat") ? stat_text(list.changes, style)
                                          : name_status_text(list.changes, style)));
  return !list.changes.empty();
}

Result<bool> print_patch(Context& ctx, Client& client, const Invocation& inv,
                         const TaskAndPaths& what) {
  const bool color = wants_color(ctx, STDOUT_FILENO);
  const bool neutral = color || isatty(STDOUT_FILENO) == 1;
  Pager pager(inv.has("no-pager") ? "" : choose_pager());
  PatchText text(color);
  bool any = false;
  const Status streamed = client.stream_bytes(
      Request{"GET", task_path(what.task.id, "diff"), query_of(inv, what), {}},
      [&](std::string_view bytes) -> Status {
        any = any || !bytes.empty();
        CODEXOS_TRY(pager.write(neutral ? text.feed(bytes) : std::string(bytes)));
        // Whoever left the pager has seen enough.
        return pager.closed() ? Status(Error{Code::unavailable, "", {}}) : Status{};
      });
  if (pager.closed()) return any;
  CODEXOS_TRY(streamed);
  CODEXOS_TRY(pager.write(text.finish()));
  return any;
}

}  // namespace

Result<int> diff_task(Context& ctx, const Invocation& inv) {
  if (inv.has("stat") && inv.has("name-status"))
    return Error{
        Code::invalid, "--stat and --name-status are two forms of one list: choose one", {}};
  Client client(ctx);
  CODEXOS_ASSIGN(const TaskAndPaths what, task_and_paths(ctx, client, inv));
  const bool list = ctx.globals.json || inv.has("stat") || inv.has("name-status");
  CODEXOS_ASSIGN(const bool any,
                 list ? print_list(ctx, client, inv, what) : print_patch(ctx, client, inv, what));
  if (!any) say_empty(ctx, what.task);
  return any && inv.has("exit-code") ? 1 : 0;
}

}  // namespace codexos::cli
