// SPDX-License-Identifier: Apache-2.0
// The folder a task works on: which one it is, what else of git belongs to it, and the overlay
// layers that hold its changes back.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/base/fields.h"
#include "core/base/plan.h"
#include "core/os/host.h"
#include "core/wire/task.h"

namespace codexos::daemon {

/// One overlay root of a task: the workspace, or a worktree's gitdir or commondir outside of it.
struct Root {
  MountRole role = MountRole::workspace;
  std::string path;  // realpath on the host, the same inside
  uint64_t dev = 0, ino = 0;
  uint32_t owner_uid = 0, owner_gid = 0;
  std::string layer;  // state/…/tasks/<id>/layers/<n>, holds upper/ and work/; empty in direct and
                      // read-only mode
  std::vector<std::string> lowers;      // earlier tasks' upper folders, topmost first (--from); the
                                        // real folder is not listed
  bool copied = false;                  // no overlay: the task works on layer/copy (copy.h)
  uint32_t task_uid = 0, task_gid = 0;  // whose the copy is while the task runs; 0: the owners'
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("role", s.role);
    v("path", s.path);
    v("dev", s.dev);
    v("ino", s.ino);
    v("owner_uid", s.owner_uid);
    v("owner_gid", s.owner_gid);
    v("layer", s.layer);
    v("lowers", s.lowers);
    v("copied", s.copied);
    v("task_uid", s.task_uid);
    v("task_gid", s.task_gid);
  }
};
struct Roots {  // stored as TaskRow::layers_json
  std::vector<Root> roots;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("roots", s.roots);
  }
};

struct WorkspaceRequest {
  Caller caller;
  std::string cwd;        // absolute, as the caller sees it
  std::string workspace;  // -w, or empty
  wire::WorkspaceMode mode = wire::WorkspaceMode::overlay;
  std::string state_home;
};
struct Workspace {
  std::vector<Root> roots;  // [0] is the workspace (mode none: empty)
  std::string cwd;          // inside
};
/// Finds the workspace (cli contract "run", "Workspaces that are refused"). Error denied: a refused
/// folder, with the reason; invalid: it does not exist or the cwd was deleted.
Result<Workspace> find_workspace(const WorkspaceRequest& r, const Host& host);
/// Mounted things below a root make a rootless overlay impossible: names of such mount points, from
/// mountinfo text (proc(5)).
std::vector<std::string> mounts_below(const std::string& mountinfo, const std::string& root);

/// A path as text: bytes that are not UTF-8 as \xNN.
std::string path_text(std::string_view path);

/// Walks the layers of an ended or running task; distrusts them (no links followed). `limit` paths
/// are counted; 0: all. For the closing note.
Result<wire::ChangeCount> count_changes(const std::vector<Root>& roots, size_t limit);

}  // namespace codexos::daemon
