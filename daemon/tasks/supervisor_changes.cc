// SPDX-License-Identifier: Apache-2.0
// Looking at what tasks changed. Layers are walked and files are read by the worker, never in the
// loop.
#include "core/json/json.h"
#include "daemon/tasks/supervisor.h"

namespace codexos::daemon {

Result<std::vector<Root>> Supervisor::changed_roots(const TaskRow& row) const {
  const std::string& state = row.task.changes_state;
  // Of an ended task without changes the layers are gone, or about to be.
  const bool live = !is_terminal(row.task.state);
  if (row.task.mode != wire::WorkspaceMode::overlay ||
      (!live && state != "waiting" && state != "continued"))
    return std::vector<Root>{};
  CODEXOS_ASSIGN(auto roots, json::decode<Roots>(row.layers_json, json::Unknown::ignore));
  return std::move(roots.roots);
}

void Supervisor::changes(const std::string& id, DiffOptions o,
                         std::function<void(Result<wire::ChangeList>)> done) {
  auto row = find(id);
  if (!row.ok()) return done(std::move(row).error());
  auto roots = changed_roots(*row);
  if (!roots.ok()) return done(std::move(roots).error());
  p_.worker.submit([task = row->task.id, roots = std::move(*roots), o, done]() -> Worker::Answer {
    const auto diff = make_diff(roots, o);
    if (!diff.ok()) return [e = diff.error(), done] { done(e); };
    wire::ChangeList list;
    list.task = task;
    list.changes = changes_of(*diff, o, list.more);
    return [list = std::move(list), done] { done(list); };
  });
}

void Supervisor::patch(const std::string& id, DiffOptions o,
                       std::function<void(Result<PatchPtr>)> done) {
  auto row = find(id);
  if (!row.ok()) return done(std::move(row).error());
  auto roots = changed_roots(*row);
  if (!roots.ok()) return done(std::move(roots).error());
  p_.worker.submit([roots = std::move(*roots), o, done]() -> Worker::Answer {
    auto diff = make_diff(roots, o);
    if (!diff.ok()) return [e = diff.error(), done] { done(e); };
    return [patch = std::make_shared<PatchStream>(std::move(*diff), o), done] { done(patch); };
  });
}

void Supervisor::patch_piece(const PatchPtr& patch, size_t least,
                             std::function<void(std::string)> done) {
  p_.worker.submit([patch, least, done = std::move(done)]() -> Worker::Answer {
    return [piece = patch->next(least), done] { done(piece); };
  });
}

}  // namespace codexos::daemon
