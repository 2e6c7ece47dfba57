// SPDX-License-Identifier: Apache-2.0
// Taking a task's changes over, undoing that, dropping them. The answer of apply and undo is 200
// also when nothing could be written: its outcome says why, and names every path.
#include "daemon/api/api.h"
#include "daemon/tasks/applier.h"

namespace codexos::daemon {
namespace {

void apply(ApiParts& parts, const CallPtr& call) {
  const auto body = decode_body<wire::ApplyBody>(*call);
  if (!body.ok()) return call->fail(body.error());
  if (body->allow_protected && body->skip_protected)
    return call->fail(Error{
        Code::invalid, "allow_protected and skip_protected: only one of them can be given", {}});
  const auto row = parts.supervisor.find(call->param(0));
  if (!row.ok()) return call->fail(row.error());
  parts.applier.apply(*row, *body, [call](Result<wire::ApplyResult> r) { answer(*call, r); });
}

void undo(ApiParts& parts, const CallPtr& call) {
  const auto body = decode_body<wire::UndoBody>(*call);
  if (!body.ok()) return call->fail(body.error());
  const auto row = parts.supervisor.find(call->param(0));
  if (!row.ok()) return call->fail(row.error());
  parts.applier.undo(*row, std::string(call->query("apply")), *body,
                     [call](Result<wire::ApplyResult> r) { answer(*call, r); });
}

void discard(ApiParts& parts, const CallPtr& call) {
  const auto body = decode_body<wire::DiscardBody>(*call);
  if (!body.ok()) return call->fail(body.error());
  const auto row = parts.supervisor.find(call->param(0));
  if (!row.ok()) return call->fail(row.error());
  parts.applier.discard(*row, *body, [call](Result<wire::Task> r) { answer(*call, r); });
}

/// The task whose changes were applied (or undone) last in the workspace that a folder lies in.
void last_applied(ApiParts& parts, const CallPtr& call) {
  const std::string cwd(call->query("cwd"));
  if (cwd.empty() || cwd[0] != '/')
    return call->fail(Error{Code::invalid, "cwd: must be an absolute path", {}});
  const auto root = parts.planner.workspace_of(cwd, call->who().uid, call->who().gid);
  if (!root.ok()) return call->fail(root.error());
  const auto last = parts.store.journal().last_of_workspace(root->path);
  if (!last.ok()) return call->fail(last.error());
  if (!*last)
    return call->fail(Error{Code::not_found, "nothing was applied to " + root->path,
                            "codexos diff shows what waits"});
  const auto row = parts.supervisor.find((*last)->task);
  if (!row.ok()) return call->fail(row.error());
  call->reply_with(200, row->task);
}

}  // namespace

ApiRoutes apply_routes() {
  return {
      {"GET", "/v1/applied/last", "The task that was applied last in a folder's workspace", kNone,
       json_of<wire::Task>("Task"), last_applied, "cwd"},
      {"POST", "/v1/tasks/{id}/apply", "Take the changes of an ended task over",
       json_of<wire::ApplyBody>("ApplyBody"), json_of<wire::ApplyResult>("ApplyResult"), apply},
      {"POST", "/v1/tasks/{id}/undo", "Undo the last apply, or undo, of a task",
       json_of<wire::UndoBody>("UndoBody"), json_of<wire::ApplyResult>("ApplyResult"), undo,
       "apply"},
      {"POST", "/v1/tasks/{id}/discard", "Drop the changes of an ended task",
       json_of<wire::DiscardBody>("DiscardBody"), json_of<wire::Task>("Task"), discard},
  };
}

}  // namespace codexos::daemon
