// SPDX-License-Identifier: Apache-2.0
// codexos apply: takes a task's changes over. Protected paths are asked for on a terminal.
#include <algorithm>

#include "cli/client.h"
#include "cli/commands/all.h"
#include "cli/commands/apply_text.h"
#include "cli/tasks.h"

namespace codexos::cli {
namespace {

Result<wire::ApplyBody> make_body(const Invocation& inv) {
  wire::ApplyBody body;
  body.dry_run = inv.has("dry-run");
  body.on_conflict = *find_enum<wire::OnConflict>(inv.value("on-conflict", "fail"));
  body.allow_protected = inv.has("allow-protected");
  body.skip_protected = inv.has("skip-protected");
  body.commit = inv.value("commit");
  if (inv.has("commit") && body.commit.find_first_not_of(" \t\n") == std::string::npos)
    return Error{Code::invalid, "--commit is empty", {}};
  if (body.allow_protected && body.skip_protected)
    return Error{
        Code::invalid, "only one of --allow-protected and --skip-protected can be given", {}};
  CODEXOS_ASSIGN(body.paths, given_paths(inv));
  return body;
}

/// It was applied, and then the commit that was asked for did not come about.
bool lacks_commit(const wire::ApplyResult& r) {
  return std::any_of(r.notes.begin(), r.notes.end(),
                     [](const std::string& n) { return n.starts_with("not committed: "); });
}

}  // namespace

Result<int> apply_task(Context& ctx, const Invocation& inv) {
  CODEXOS_ASSIGN(wire::ApplyBody body, make_body(inv));
  Client client(ctx);
  CODEXOS_ASSIGN(const std::string task, task_with_changes(ctx, client, inv));
  for (;;) {
    const Request request{
        "POST", task_path(task, "apply"), {}, json::encode(body, json::Defaults::omit)};
    CODEXOS_ASSIGN(const std::string reply, client.call(request));
    CODEXOS_ASSIGN(const auto result,
                   json::decode<wire::ApplyResult>(reply, json::Unknown::ignore));
    const bool asks = result.outcome == wire::ApplyOutcome::protected_ && !body.dry_run;
    if (!asks || !consents(ctx, result)) {
      CODEXOS_ASSIGN(const int code, tell_outcome(ctx, "apply", reply, result));
      return code == 0 && lacks_commit(result) ? 1 : code;
    }
    body.allow_protected = true;
  }
}

}  // namespace codexos::cli
