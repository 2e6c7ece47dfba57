// SPDX-License-Identifier: Apache-2.0
// What a task changed: as a list, and as a patch, which is streamed: a piece is made when the one
// before was sent.
#include "daemon/api/api.h"

namespace codexos::daemon {
namespace {

constexpr size_t kPiece = 256 * 1024;

/// all=1, stat=1, path=, path1=, ...: pathspecs (a name is given once in a query).
DiffOptions options_of(const Call& call) {
  DiffOptions o;
  o.all = query_flag(call, "all");
  o.stat = query_flag(call, "stat");
  for (const auto& [name, value] : call.request().query)
    if (name.starts_with("path") && !value.empty()) o.paths.push_back(value);
  return o;
}

void changes(ApiParts& parts, const CallPtr& call) {
  parts.supervisor.changes(call->param(0), options_of(*call),
                           [call](Result<wire::ChangeList> r) { answer(*call, r); });
}

void send_next(Supervisor& supervisor, const CallPtr& call, const Supervisor::PatchPtr& patch) {
  if (call->gone()) return;
  supervisor.patch_piece(patch, kPiece, [&supervisor, call, patch](const std::string& piece) {
    if (piece.empty()) return call->end_stream();
    call->send_bytes(piece);
    if (!call->backlogged()) return send_next(supervisor, call, patch);
    call->on_drain([&supervisor, call, patch] {
      call->on_drain(nullptr);
      send_next(supervisor, call, patch);
    });
  });
}

void diff(ApiParts& parts, const CallPtr& call) {
  parts.supervisor.patch(call->param(0), options_of(*call),
                         [&parts, call](Result<Supervisor::PatchPtr> patch) {
                           if (!patch.ok()) return call->fail(patch.error());
                           call->start_body("text/x-diff");
                           send_next(parts.supervisor, call, *patch);
                         });
}

}  // namespace

ApiRoutes diff_routes() {
  return {
      {"GET", "/v1/tasks/{id}/changes",
       "What a task changed in its workspace; path, path1 ...: only there", kNone,
       json_of<wire::ChangeList>("ChangeList"), changes, "all=flag stat=flag path"},
      {"GET",
       "/v1/tasks/{id}/diff",
       "The same as a patch",
       kNone,
       {"Patch", nullptr, "text/x-diff"},
       diff,
       "all=flag path"},
  };
}

}  // namespace codexos::daemon
