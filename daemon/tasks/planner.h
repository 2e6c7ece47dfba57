// SPDX-License-Identifier: Apache-2.0
// From a request to everything that one start needs: which folder, which view, which mounts, which
// environment. Puts sandbox/ and workspace/ together; reads the host, and makes nothing but the
// cache folders of the workspace.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/plan.h"
#include "core/os/host_cache.h"
#include "core/os/mount_table.h"
#include "core/wire/task.h"
#include "daemon/sandbox/sandbox.h"
#include "daemon/store/store.h"
#include "daemon/tasks/view_cache.h"
#include "daemon/workspace/workspace.h"

namespace codexos::daemon {

/// What TaskRow::create_json holds: the request as it came, who sent it, and what came out of it
/// that a later `exec` needs.
struct StoredCreate {
  wire::TaskCreate create;
  uint32_t uid = 0;
  uint32_t gid = 0;
  std::vector<std::string> env;  // the task's whole environment, K=V
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("create", s.create);
    v("uid", s.uid);
    v("gid", s.gid);
    v("env", s.env);
  }
};

struct Start {
  const View* view = nullptr;  // the cache's; valid until the next plan
  Job job;
  Workspace workspace;
  std::optional<TaskRow> from;  // the earlier task whose changes it starts from
  std::string from_snapshot;    // and which snapshot of them; empty: all, and it takes them over
  std::vector<std::string> notes;
  // Lines for the caller's stderr: what becomes of an earlier task's changes, and what may be the
  // reason when the program fails; empty: nothing to say.
  std::string remark;
  std::string on_failure;
  ViewRequest request;
};

/// The host uid and gid of a root daemon's tasks, of the tenant `default`. Above what distributions
/// and container engines hand out (subuid(5)), below 2^31, and nobody's (not 65534).
inline constexpr uint32_t kRootTaskHostId = 2000000001;

struct PlannerOptions {
  std::string home;            // the state folder
  uint32_t task_host_uid = 0;  // of a root daemon's tasks; 0: the caller's own
  uint32_t task_host_gid = 0;
  bool force_copy = false;  // no overlays (CODEXOS_FORCE_COPY): for tests
};

class Planner {
 public:
  Planner(PlannerOptions options, HostCache& host, MountTable& mounts, Store* store)
      : options_(std::move(options)),
        host_(host),
        mounts_(mounts),
        views_(mounts, host),
        store_(store) {}

  /// `id` and `layer_dir` (.../layers) name the new task. Error unsupported: a feature that this
  /// version lacks; denied: a refused folder; conflict: `from` cannot be used.
  Result<Start> plan(const wire::TaskCreate& create, uid_t uid, gid_t gid, const std::string& id,
                     const std::string& layer_dir);
  /// The kernel would not mount an overlay over this folder: from now on it is copied.
  void overlay_refused(const std::string& path) { refused_.insert(path); }
  wire::PlanView show(const wire::TaskCreate& create, const Start& start) const;
  /// The workspace that `cwd` lies in; empty path: none.
  Result<Root> workspace_of(const std::string& cwd, uid_t uid, gid_t gid);
  /// The view of a request that was planned before, as it is now.
  Result<const View*> view_of(const ViewRequest& r) {
    host_.refresh();
    return views_.get(r);
  }
  /// The view that a caller with this environment gets, to park helpers with.
  Result<const View*> likely_view(const std::map<std::string, std::string>& caller_env, uid_t uid,
                                  gid_t gid);

 private:
  Result<Caller> make_caller(const std::map<std::string, std::string>& env, uid_t uid, gid_t gid);
  Result<std::optional<TaskRow>> find_from(const wire::TaskCreate& create, const Root& workspace,
                                           Start& start);
  Result<std::optional<TaskRow>> find_snapshot(const std::string& task, const std::string& name,
                                               const Root& workspace, Start& start);
  std::string layers_of(const Start& start) const;
  Status add_layers(const TaskRow& from, const std::string& layers, std::vector<Root>& roots);
  Status add_roots(const wire::TaskCreate& create, Start& start);
  std::string why_copy_of(const Root& root);
  void add_overlay(const Root& root, Start& start);
  void add_copy(const Root& root, Start& start);
  Status add_write_through(const wire::TaskCreate& create, Start& start);
  Status make_caches(Start& start);
  std::string foreign_note(const Root& root, uid_t uid, gid_t gid);

  PlannerOptions options_;
  HostCache& host_;
  MountTable& mounts_;
  ViewCache views_;
  Store* store_;  // null: no earlier tasks (codexosd plan)
  std::set<std::string> caches_made_;
  /// foreign_note() of a workspace, as long as nothing was added to or removed from its top level.
  struct Foreign {
    int64_t changed_ns = 0;
    std::string note;
  };
  std::map<std::string, Foreign> foreign_;
  std::set<std::string> refused_;  // folders over which there is no overlay
};

/// What can be said about a request without looking at the host. Error invalid or unsupported.
Status check_create(const wire::TaskCreate& create);

}  // namespace codexos::daemon
