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
#include "core/base/landlock_plan.h"
#include "core/base/plan.h"
#include "core/os/host_cache.h"
#include "core/os/mount_table.h"
#include "core/wire/task.h"
#include "daemon/sandbox/cgroups.h"
#include "daemon/sandbox/sandbox.h"
#include "daemon/store/store.h"
#include "daemon/tasks/agent_start.h"
#include "daemon/tasks/inside.h"
#include "daemon/tasks/policies.h"
#include "daemon/tasks/secret_start.h"
#include "daemon/tasks/ssh_start.h"
#include "daemon/tasks/view_cache.h"
#include "daemon/workspace/workspace.h"

namespace codexos::daemon {

/// What policies came to for one task; both empty: nobody said anything.
struct StoredPolicy {
  policy::Rights rights;
  std::vector<policy::Source> sources;
  std::vector<std::string> left_out;   // beyond a ceiling
  std::vector<std::string> widenings;  // of a project that is not trusted
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("rights", s.rights);
    v("sources", s.sources);
    v("left_out", s.left_out);
    v("widenings", s.widenings);
  }
};

/// What TaskRow::create_json holds: the request, with what policies made of it, who sent it, and
/// what came out of it that a later `exec` or `apply` needs.
struct StoredCreate {
  wire::TaskCreate create;
  uint32_t uid = 0;
  uint32_t gid = 0;
  std::vector<std::string> env;  // the task's whole environment, K=V
  StoredPolicy policy;
  std::vector<GivenPlaceholder> placeholders;
  std::string known_hosts;  // the lines by which the hosts of its SSH keys were known
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("create", s.create);
    v("uid", s.uid);
    v("gid", s.gid);
    v("env", s.env);
    v("policy", s.policy);
    v("placeholders", s.placeholders);
    v("known_hosts", s.known_hosts);
  }
};

/// Instead of a view, for a task without namespaces.
struct LandlockStart {
  LandlockPlan plan;        // its job comes with the start's
  std::string private_dir;  // of the task's own home and scratch space
  std::vector<Mount> home;  // what is put into the home; targets relative to it
};

struct Start {
  const View* view = nullptr;  // the cache's; valid until the next plan
  Job job;
  Workspace workspace;
  std::optional<TaskRow> from;  // the earlier task whose changes it starts from
  std::string from_snapshot;    // and which snapshot of them; empty: all, and it takes them over
  std::vector<std::string> notes;
  // Lines for the caller's stderr: what policies left out, what becomes of an earlier task's
  // changes; and what may be the reason when the program fails. Empty: nothing to say.
  std::string remark;
  void remark_on(const std::string& line) {
    if (!line.empty()) remark += (remark.empty() ? "" : "\n") + line;
  }
  std::string on_failure;
  std::string unused_hint;  // the same, where no placeholder of the task was of any use
  TaskLimits limits;        // of the request, and of an agent's preset
  std::vector<wire::LimitHeld> held;
  bool in_cgroup = false;
  ViewRequest request;
  std::optional<LandlockStart> landlock;
  StoredPolicy policy;
  // Variables of the caller that its policies pass on and the request does not carry: nothing else
  // is filled then.
  std::vector<std::string> wants_env;
  std::optional<wire::AgentRecord> agent;
  std::map<std::string, std::string> agent_exits;
  std::string agent_key;  // the variable that holds its key, or a placeholder of it
  SecretParts secrets;
  SshParts ssh;
};

/// The host uid and gid of a root daemon's tasks, of the tenant `default`. Above what distributions
/// and container engines hand out (subuid(5)), below 2^31, and nobody's (not 65534).
inline constexpr uint32_t kRootTaskHostId = 2000000001;

struct PlannerOptions {
  std::string home;            // the state folder
  uint32_t task_host_uid = 0;  // of a root daemon's tasks; 0: the caller's own
  uint32_t task_host_gid = 0;
  Cgroups* cgroups = nullptr;    // none: nothing is held by one
  const Vault* vault = nullptr;  // none: no secrets
  bool force_copy = false;       // no overlays (CODEXOS_FORCE_COPY): for tests
};

class Planner {
 public:
  Planner(PlannerOptions options, HostCache& host, MountTable& mounts, Store* store)
      : options_(std::move(options)),
        host_(host),
        mounts_(mounts),
        views_(mounts, host),
        policies_(host, store),
        store_(store) {}

  /// `id` and `layer_dir` (.../layers) name the new task. `create` becomes what policies make of
  /// it. Error unsupported: a feature that this version lacks; denied: a refused folder, or a
  /// policy; conflict: `from` cannot be used.
  Result<Start> plan(wire::TaskCreate& create, uid_t uid, gid_t gid, const std::string& id,
                     const std::string& layer_dir);
  /// Adds what the caller should know of an earlier task's changes that wait here. Not part of the
  /// plan: the helper is at work already.
  Status remark_on_waiting(const wire::TaskCreate& create, Start& start);
  /// The kernel would not mount an overlay over this folder: from now on it is copied.
  void overlay_refused(const std::string& path) { refused_.insert(path); }
  wire::PlanView show(const wire::TaskCreate& create, const Start& start) const;
  /// Who asks for what, for questions about policies.
  Result<PolicyPlace> policy_place(const policy::PolicyQuery& query, uid_t uid, gid_t gid);
  Policies& policies() { return policies_; }
  /// What a task of this caller would find under these rights, in a workspace (empty: none).
  Result<InsideView> inside(const std::map<std::string, std::string>& caller_env, uid_t uid,
                            gid_t gid, const policy::Rights& rights, const std::string& workspace);
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

  /// Who asks, from the variables that came with the request. Error invalid: no home.
  /// Of this caller, with what all views of this daemon have in common.
  ViewRequest view_request(Caller caller) const;
  Result<Caller> make_caller(const std::map<std::string, std::string>& env, uid_t uid, gid_t gid);

 private:
  Result<std::optional<TaskRow>> last_waiting(const Root& workspace);
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
  /// Argv, environment and mounts of the agent that the request asks for.
  Status put_agent(const FoundAgent& agent, const wire::TaskCreate& create, Start& start,
                   std::map<std::string, std::string>& env);
  void hold_credentials(const Preset& preset, wire::TaskCreate& create, Start& start) const;
  std::optional<TaskRow> last_of_agent(const std::string& agent, const std::string& workspace);
  std::string foreign_note(const Root& root, uid_t uid, gid_t gid);
  Status obey_policies(wire::TaskCreate& create, const Caller& caller, Start& start);
  Status hide(Start& start) const;
  Status limit(const wire::TaskCreate& create, Start& start) const;
  // landlock_planner.cc
  Status check_landlock(const wire::TaskCreate& create, const Start& start) const;
  Status turn_into_rules(const std::string& layer_dir, std::map<std::string, std::string>& env,
                         Start& start) const;
  static void point_into_copy(Start& start);
  static void add_notice(const wire::TaskCreate& create, Start& start);
  std::vector<std::string> find_hidden(const policy::Names& patterns) const;

  PlannerOptions options_;
  HostCache& host_;
  MountTable& mounts_;
  ViewCache views_;
  Policies policies_;
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
