// SPDX-License-Identifier: Apache-2.0
// Snapshots of a task's changes.
#include "daemon/api/api.h"

namespace codexos::daemon {
namespace {

Snapshots::OnSnapshot reply_later(const CallPtr& call, int status = 200) {
  return [call, status](Result<wire::Snapshot> r) { answer(*call, r, status); };
}

void create(ApiParts& parts, const CallPtr& call) {
  const auto body = decode_body<wire::SnapshotBody>(*call);
  if (!body.ok()) return call->fail(body.error());
  parts.snapshots.create(call->param(0), *body, reply_later(call, 201));
}

void list(ApiParts& parts, const CallPtr& call) {
  parts.snapshots.list(call->param(0), [call](Result<wire::SnapshotList> r) { answer(*call, r); });
}

void remove(ApiParts& parts, const CallPtr& call) {
  parts.snapshots.remove(call->param(0), call->param(1), reply_later(call));
}

void open(ApiParts& parts, const CallPtr& call) {
  parts.snapshots.open(call->param(0), call->param(1), reply_later(call));
}

void restore(ApiParts& parts, const CallPtr& call) {
  parts.snapshots.restore(call->param(0), call->param(1),
                          [call](Result<wire::Task> r) { answer(*call, r); });
}

}  // namespace

ApiRoutes snapshot_routes() {
  return {
      {"POST", "/v1/tasks/{id}/snapshots", "Keep the task's changes as they are now",
       json_of<wire::SnapshotBody>("SnapshotBody"), json_of<wire::Snapshot>("Snapshot"), create, "",
       201},
      {"GET", "/v1/tasks/{id}/snapshots", "List a task's snapshots", kNone,
       json_of<wire::SnapshotList>("SnapshotList"), list},
      {"DELETE", "/v1/tasks/{id}/snapshots/{name}", "Remove a snapshot", kNone,
       json_of<wire::Snapshot>("Snapshot"), remove},
      {"POST", "/v1/tasks/{id}/snapshots/{name}/open",
       "Make its layers, so that a task can start from TASK@NAME", kNone,
       json_of<wire::Snapshot>("Snapshot"), open},
      {"POST", "/v1/tasks/{id}/snapshots/{name}/restore",
       "Put the state back as an ended task's changes", kNone, json_of<wire::Task>("Task"),
       restore},
  };
}

}  // namespace codexos::daemon
