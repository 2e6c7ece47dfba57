// SPDX-License-Identifier: Apache-2.0
#include "daemon/tasks/planner.h"

#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>

#include "core/base/clock.h"
#include "core/base/hash.h"
#include "core/base/id.h"
#include "core/base/path.h"
#include "core/json/json.h"
#include "core/os/file.h"
#include "core/os/place.h"
#include "core/policy/net_rules.h"
#include "daemon/agents/login.h"
#include "daemon/egress/internal_service.h"
#include "daemon/sandbox/view_parts.h"
#include "daemon/sandbox/view_trust.h"
#include "daemon/tasks/copy_mode.h"
#include "daemon/tasks/limits.h"
#include "daemon/tasks/task_files.h"
#include "daemon/tasks/task_secrets.h"
#include "daemon/workspace/copy.h"

namespace codexos::daemon {
namespace {

bool is_below(const std::string& path, const std::string& root) {
  return path.size() > root.size() && path.compare(0, root.size(), root) == 0 &&
         (root == "/" || path[root.size()] == '/');
}

Mount bind_root(const Root& root, bool read_only) {
  Mount m;
  m.kind = MountKind::bind;
  m.role = root.role;
  m.source = root.path;
  m.target = root.path;
  m.read_only = read_only;
  m.dev = root.dev;
  m.ino = root.ino;
  return m;
}

void copy_to_job(const wire::TaskCreate& c, Job& job) {
  job.argv = c.argv;
  job.umask = c.umask;
  job.stdin_mode = c.stdin_mode;
  job.stdout_mode = c.stdout_mode;
  job.stderr_mode = c.stderr_mode;
  job.rows = c.rows;
  job.cols = c.cols;
  job.owned = c.owned;
  job.learn = c.learn;
}

std::string access_of(const Mount& m) {
  if (m.role == MountRole::write_through) return "written through";
  if (m.role == MountRole::hidden) return "empty";
  if (m.role == MountRole::cache) return "rw, this workspace's";
  if (m.role == MountRole::agent)
    return m.target == kLoginInside ? "rw, every task's of this agent" : "rw, this workspace's";
  if (m.kind != MountKind::bind) return m.read_only ? "ro" : "private";
  return m.read_only ? "ro" : "rw";
}

wire::PlanMount describe(const Mount& m) {
  return {std::string(name_of(m.role)), std::string(name_of(m.kind)),
          m.kind == MountKind::bind || m.kind == MountKind::symlink ? m.source : std::string(),
          m.target, access_of(m)};
}

wire::PlanMount describe_rule(const PathRule& r, const Workspace& w) {
  wire::PlanMount m{std::string(name_of(r.role)), "landlock", r.path, r.path,
                    std::string(name_of(r.access))};
  for (const auto& root : w.roots)
    if (root.copied && r.path == copy_of(root)) {
      m.source = root.path;
      m.access = "held back in a copy";
    }
  return m;
}

void remark_and_note(Start& start, const std::string& text) {
  start.remark_on(text);
  start.notes.push_back(text);
}

/// Takes XDG_CONFIG_HOME out of the caller's variables, and puts the program's folder on PATH.
Result<FoundAgent> find_agent_for(const wire::TaskCreate& create, Caller& caller,
                                  const Host& host) {
  std::string config_home;
  if (const auto at = caller.env.find("XDG_CONFIG_HOME"); at != caller.env.end()) {
    config_home = at->second;
    caller.env.erase(at);
  }
  CODEXOS_ASSIGN(FoundAgent agent, find_agent(create, caller, config_home, host));
  if (const std::string& folder = agent.program.folder; !folder.empty()) {
    std::string& path = caller.env["PATH"];
    path = path.empty() ? folder : folder + ":" + path;
  }
  return agent;
}

/// What a kernel without nf_tables would need to know.
Status put_ports(const wire::TaskCreate& create, Job& job) {
  constexpr size_t kMostPorts = 64;
  if (create.net != wire::Network::allow) return {};
  CODEXOS_ASSIGN(const auto rules, parse_net_rules(create.allow));
  auto ports = ports_of(rules, kMostPorts);
  job.too_many_net_ports = !ports;
  if (ports) job.net_ports = *std::move(ports);
  return {};
}

/// An agent reaches its model, and a secret its hosts, unless the caller chose another network.
/// Policies judge it like any other wish.
void ask_for_hosts(const std::vector<std::string>& hosts, wire::TaskCreate& create) {
  const auto& given = create.policy.given;
  if (create.agent_use == wire::AgentUse::version || create.net == wire::Network::host ||
      hosts.empty() || std::find(given.begin(), given.end(), "net") != given.end())
    return;
  create.net = wire::Network::allow;
  for (const auto& host : hosts)
    if (std::find(create.allow.begin(), create.allow.end(), host) == create.allow.end())
      create.allow.push_back(host);
}

/// Into the task's own home, and nowhere else. `lack`: what there is not without it.
void put_into_home(const std::string& home, const char* file, std::string text, const char* lack,
                   Start& start) {
  if (text.empty()) return;
  std::string path = join_path(home, file);
  if (is_on_the_disk(path, start.job))
    start.notes.push_back(std::string(lack) + ": " + path + " is the host's");
  else
    start.job.mounts.push_back(file_at(MountRole::home, std::move(path), std::move(text), 0644));
}

Status put_logins(const std::string& home, Start& start) {
  CODEXOS_ASSIGN(std::string git, git_logins_config(start.secrets.git_logins));
  put_into_home(home, kGitLoginsFile, std::move(git), "git does not sign in by itself", start);
  put_into_home(home, kKnownHosts, start.ssh.known_hosts, "ssh knows hosts by what is shown",
                start);
  return {};
}

/// An agent of the task's own; where a policy took the network away nobody could serve it.
Status put_ssh(const std::string& folder, wire::Network net, Start& start,
               std::map<std::string, std::string>& env) {
  if (!start.ssh.access) return {};
  if (net != wire::Network::allow)
    return Error{Code::invalid, "--ssh-key: the task has no network to sign in by",
                 "--allow HOST:22, or no --net"};
  start.job.mounts.push_back(show_ssh(folder));
  env.try_emplace("SSH_AUTH_SOCK", join_path(kSshInside, kSshSocket));
  return {};
}

Error conflict(std::string message, std::string hint = {}) {
  return Error{Code::conflict, std::move(message), std::move(hint)};
}

}  // namespace

Result<Caller> Planner::make_caller(const std::map<std::string, std::string>& env, uid_t uid,
                                    gid_t gid) {
  Caller c;
  c.uid = uid;
  c.gid = gid;
  c.env = env;
  std::string passwd;
  host_.read("/etc/passwd", passwd);
  const auto find = [&env](const char* name) {
    const auto it = env.find(name);
    return it == env.end() ? std::string() : it->second;
  };
  c.user = name_of_uid(passwd, uid);
  if (c.user.empty()) c.user = find("USER");
  if (c.user.empty()) c.user = "user";
  c.home = find("HOME");
  if (c.home.empty() || c.home[0] != '/') c.home = home_of_uid(passwd, uid);
  if (c.home.empty() || c.home[0] != '/')
    return Error{Code::invalid, "the caller has no home folder", "set HOME"};
  if (PathFact fact; host_.lookup(c.home, fact)) c.home = fact.path;
  // HOME set to somewhere else does not lay the real one open.
  if (PathFact fact; host_.lookup(home_of_uid(passwd, uid), fact)) c.passwd_home = fact.path;
  return c;
}

ViewRequest Planner::view_request(Caller caller) const {
  ViewRequest r;
  r.caller = std::move(caller);
  r.task_host_uid = options_.task_host_uid;
  r.task_host_gid = options_.task_host_gid;
  r.state_home = options_.home;
  return r;
}

Result<Root> Planner::workspace_of(const std::string& cwd, uid_t uid, gid_t gid) {
  host_.refresh();
  WorkspaceRequest w;
  CODEXOS_ASSIGN(w.caller, make_caller({}, uid, gid));
  w.cwd = cwd;
  w.state_home = options_.home;
  CODEXOS_ASSIGN(const Workspace found, find_workspace(w, host_));
  if (found.roots.empty()) return Root{};
  return found.roots.front();
}

Result<const View*> Planner::likely_view(const std::map<std::string, std::string>& caller_env,
                                         uid_t uid, gid_t gid) {
  host_.refresh();
  CODEXOS_ASSIGN(Caller caller, make_caller(caller_env, uid, gid));
  return views_.get(view_request(std::move(caller)));
}

/// Where the layers are that a task starts from.
std::string Planner::layers_of(const Start& start) const {
  const TaskPaths files(options_.home, start.from->tenant, start.from->task.id);
  return start.from_snapshot.empty() ? files.layers() : snapshot_layers(files, start.from_snapshot);
}

Status Planner::add_layers(const TaskRow& from, const std::string& layers,
                           std::vector<Root>& roots) {
  CODEXOS_ASSIGN(const Roots earlier, json::decode<Roots>(from.layers_json, json::Unknown::ignore));
  for (auto& root : roots) {
    for (size_t n = 0; n < earlier.roots.size(); ++n) {
      const Root& old = earlier.roots[n];
      if (old.path != root.path || old.layer.empty()) continue;
      if (old.dev != root.dev || old.ino != root.ino)
        return conflict(root.path + " is not the folder that task " + from.task.id + " worked on");
      const std::string upper = layers + "/" + std::to_string(n) + "/upper";
      // A snapshot has no layer for a root in which nothing was changed. (Our own folders are asked
      // directly: the host's answers may be remembered ones.)
      if (access(upper.c_str(), F_OK) == 0) root.lowers.push_back(upper);
      root.lowers.insert(root.lowers.end(), old.lowers.begin(), old.lowers.end());
    }
  }
  return {};
}

/// TASK@NAME: its layers must have been made (Snapshots::open).
Result<std::optional<TaskRow>> Planner::find_snapshot(const std::string& task,
                                                      const std::string& name,
                                                      const Root& workspace, Start& start) {
  CODEXOS_ASSIGN(TaskRow row, store_->find_task(task));
  if (row.task.workspace != workspace.path)
    return conflict("task " + row.task.id + " worked on " +
                    (row.task.workspace.empty() ? "no folder" : row.task.workspace) + ", not on " +
                    workspace.path);
  const TaskPaths files(options_.home, row.tenant, row.task.id);
  if (!is_snapshot_name(name) || access(snapshot_layers(files, name).c_str(), F_OK) != 0)
    return Error{Code::not_found, "task " + row.task.id + " has no open snapshot \"" + name + "\"",
                 "codexos snapshot list " + row.task.id};
  start.from_snapshot = name;
  return std::optional<TaskRow>(std::move(row));
}

/// The newest task whose changes of that folder wait.
Result<std::optional<TaskRow>> Planner::last_waiting(const Root& workspace) {
  CODEXOS_ASSIGN(auto last, store_->last_task(workspace.path, true));
  // Another inode at the path is another folder: its waiting changes do not belong here.
  if (last && (static_cast<uint64_t>(last->workspace_dev) != workspace.dev ||
               static_cast<uint64_t>(last->workspace_ino) != workspace.ino))
    last.reset();
  return last;
}

Status Planner::remark_on_waiting(const wire::TaskCreate& create, Start& start) {
  if (store_ == nullptr || !create.from.empty() || start.workspace.roots.empty() ||
      create.mode != wire::WorkspaceMode::overlay)
    return {};
  CODEXOS_ASSIGN(const auto last, last_waiting(start.workspace.roots[0]));
  if (last)
    start.remark_on("changes of task " + last->task.id +
                    " wait: -c starts from them · codexos diff " + last->task.id +
                    " · codexos apply " + last->task.id);
  return {};
}

/// The earlier task that the new one starts from; nothing: the real folder.
Result<std::optional<TaskRow>> Planner::find_from(const wire::TaskCreate& create,
                                                  const Root& workspace, Start& start) {
  if (store_ == nullptr || create.from.empty()) return std::optional<TaskRow>();
  if (create.from == "last") {
    CODEXOS_ASSIGN(auto last, last_waiting(workspace));
    if (!last)
      remark_and_note(start, "no changes of an earlier task wait: the real folder is used");
    return last;
  }
  std::string task, name;
  if (split_snapshot(create.from, task, name)) return find_snapshot(task, name, workspace, start);
  CODEXOS_ASSIGN(TaskRow row, store_->find_task(create.from));
  if (!is_terminal(row.task.state))
    return conflict("task " + row.task.id + " is " + std::string(name_of(row.task.state)),
                    "codexos wait " + row.task.id);
  if (row.task.workspace != workspace.path)
    return conflict("task " + row.task.id + " worked on " +
                    (row.task.workspace.empty() ? "no folder" : row.task.workspace) + ", not on " +
                    workspace.path);
  if (row.task.changes_state == "continued")
    return conflict("another task already started from the changes of " + row.task.id,
                    "use --from last");
  if (row.task.changes_state != "waiting") {
    remark_and_note(start, "task " + row.task.id + " has no changes that wait (" +
                               row.task.changes_state + "): the real folder is used");
    return std::optional<TaskRow>();
  }
  return std::optional<TaskRow>(std::move(row));
}

std::string Planner::why_copy_of(const Root& root) {
  OverlayFacts f;
  struct statfs fs {};
  if (statfs(options_.home.c_str(), &fs) == 0) f.state_magic = fs.f_type;
  if (statfs(root.path.c_str(), &fs) == 0) f.workspace_magic = fs.f_type;
  f.idmapped = options_.task_host_uid != 0;
  if (!f.idmapped) f.mounts_below = mounts_below(mounts_.text(), root.path);  // else no matter
  f.refused = refused_.count(root.path) != 0;
  f.forced = options_.force_copy;
  return why_copy(f);
}

/// Filled between the task's commit and its start.
void Planner::add_copy(const Root& root, Start& start) {
  Mount m = bind_root(root, false);
  m.source = copy_of(root);
  m.dev = m.ino = 0;
  start.job.mounts.push_back(std::move(m));
}

void Planner::add_overlay(const Root& root, Start& start) {
  Overlay o;
  o.role = root.role;
  o.target = root.path;
  for (const auto& lower : root.lowers) {
    DirRef ref;
    ref.path = lower;
    o.lowers.push_back(std::move(ref));
  }
  DirRef real;
  real.path = root.path;
  real.dev = root.dev;
  real.ino = root.ino;
  o.lowers.push_back(std::move(real));
  o.layer.path = root.layer;
  start.job.overlays.push_back(std::move(o));
}

Status Planner::add_roots(const wire::TaskCreate& create, Start& start) {
  for (const auto& root : start.workspace.roots) {
    if (create.mode == wire::WorkspaceMode::overlay) {
      root.copied ? add_copy(root, start) : add_overlay(root, start);
    } else {
      start.job.mounts.push_back(bind_root(root, create.mode == wire::WorkspaceMode::read_only));
    }
  }
  return add_write_through(create, start);
}

Status Planner::add_write_through(const wire::TaskCreate& create, Start& start) {
  if (create.write.empty()) return {};
  const std::string root = start.workspace.roots.empty() ? "" : start.workspace.roots[0].path;
  for (const auto& given : create.write) {
    const std::string path = given[0] == '/' ? given : root + "/" + given;
    PathFact fact;
    if (!host_.lookup(path, fact))
      return Error{Code::invalid, "--write " + given + ": it does not exist", "mkdir " + path};
    if (!is_below(fact.path, root))
      return Error{Code::denied, "--write " + given + ": it is not inside " + root, {}};
    Mount m;
    m.role = MountRole::write_through;
    m.source = fact.path;
    m.target = fact.path;
    m.dev = fact.dev;
    m.ino = fact.ino;
    start.job.mounts.push_back(std::move(m));
  }
  return {};
}

Status Planner::make_caches(Start& start) {
  const std::string dir =
      options_.home + "/caches/" + to_hex(fnv1a(start.workspace.roots.front().path));
  start.request.workspace = start.workspace.roots.front().path;
  start.request.cache_dir = dir;
  if (caches_made_.count(dir) != 0 && access(dir.c_str(), F_OK) == 0) return {};
  CODEXOS_TRY(make_dirs(dir, 0700));
  for (const auto& row : cache_rows())
    CODEXOS_TRY(make_dirs(dir + "/" + std::string(row.folder), 0700));
  caches_made_.insert(dir);
  return {};
}

/// A task has one user and one group (an ordinary user may map no more, and setgroups(2) is
/// denied), so a file of another one can be read, but not copied up when it is changed: that fails
/// with EOVERFLOW, which tells nobody anything. Only the top level is looked at, and only when it
/// changed.
std::string Planner::foreign_note(const Root& root, uid_t uid, gid_t gid) {
  struct stat st {};
  if (stat(root.path.c_str(), &st) != 0) return {};
  const int64_t changed_ns = ns_of(st.st_mtim);
  const auto known = foreign_.find(root.path);
  if (known != foreign_.end() && known->second.changed_ns == changed_ns) return known->second.note;
  constexpr size_t kLook = 256;
  constexpr size_t kNames = 3;
  std::string names;
  size_t found = 0;
  for (const auto& e : host_.entries(root.path, kLook))
    if ((e.uid != uid || e.gid != gid) && ++found <= kNames)
      names += (names.empty() ? "" : ", ") + e.name + (e.is_dir ? "/" : "");
  if (found > kNames) names += ", ...";
  if (foreign_.size() > kLook) foreign_.clear();
  Foreign& f = foreign_[root.path];
  f.changed_ns = changed_ns;
  f.note = found == 0 ? ""
                      : "of another user or group, so a task can read but not change it (\"Value "
                        "too large for defined data type\"): " +
                            names + " · chgrp it, or use --write or --mode direct";
  return f.note;
}

/// The newest task of this agent here whose conversation has a name.
std::optional<TaskRow> Planner::last_of_agent(const std::string& agent,
                                              const std::string& workspace) {
  if (store_ == nullptr) return std::nullopt;
  TaskQuery q;
  q.all = true;
  q.workspace = workspace;
  auto rows = store_->list_tasks(q);
  if (!rows.ok()) return std::nullopt;
  for (auto& row : *rows)
    if (row.task.agent && row.task.agent->name == agent && !row.task.agent->session.empty())
      return std::move(row);
  return std::nullopt;
}

Status Planner::put_agent(const FoundAgent& agent, const wire::TaskCreate& create, Start& start,
                          std::map<std::string, std::string>& env) {
  AgentPlace place;
  place.state_home = options_.home;
  place.home = inside_home(start.request.caller);
  const bool has_workspace = !start.workspace.roots.empty();
  if (has_workspace) place.workspace = start.workspace.roots[0].path;
  std::optional<TaskRow> earlier;
  if (!create.from.empty() && has_workspace)
    earlier = last_of_agent(agent.preset.name, place.workspace);
  place.key = start.agent_key;
  place.placeholders = start.secrets.env.count(place.key) != 0;
  place.from = start.from ? &*start.from : nullptr;
  place.earlier = earlier ? &*earlier : nullptr;
  CODEXOS_ASSIGN(AgentParts parts, add_agent(agent, create, place));
  start.job.argv = std::move(parts.argv);
  start.agent = std::move(parts.record);
  start.agent_exits = agent.preset.exits;
  for (auto& [name, value] : parts.env) env.try_emplace(name, std::move(value));
  auto& mounts = start.job.mounts;
  std::move(parts.mounts.begin(), parts.mounts.end(), std::back_inserter(mounts));
  if (has_workspace) {
    auto covers = cover_env_files(place.workspace, create.show, real_host(), start.notes);
    std::move(covers.begin(), covers.end(), std::back_inserter(mounts));
  }
  std::move(parts.notes.begin(), parts.notes.end(), std::back_inserter(start.notes));
  if (start.on_failure.empty()) start.on_failure = std::move(parts.on_failure);
  if (create.agent_use == wire::AgentUse::job && create.limits.idle_timeout_ms == 0)
    start.limits.idle_timeout_ms = agent.preset.idle_timeout_s * 1000;
  return {};
}

/// Key or login of an agent, as placeholders where its preset says what they are for.
void Planner::hold_credentials(const Preset& preset, wire::TaskCreate& create, Start& start) const {
  if (create.agent_use == wire::AgentUse::version) return;
  hold_keys(preset, create, start.secrets, start.notes);
  std::map<std::string, std::string> env = create.env;
  env.insert(start.secrets.env.begin(), start.secrets.env.end());
  start.agent_key = key_of(preset, env);
  if (start.agent_key.empty() && preset.login && !preset.login->tokens.empty() &&
      create.net == wire::Network::allow && login_is_shared(options_.home, preset.name))
    start.secrets.login = preset.name;
  if (!start.secrets.keys.empty() || !start.secrets.login.empty())
    start.unused_hint = "what " + preset.name + " has of its " +
                        (start.secrets.login.empty() ? start.agent_key : "login") +
                        " works at its provider's alone, and was not used there; elsewhere by "
                        "--key-for HOST, in TLS";
}

Result<Start> Planner::plan(wire::TaskCreate& create, uid_t uid, gid_t gid, const std::string& id,
                            const std::string& layer_dir) {
  CODEXOS_TRY(check_create(create));
  host_.refresh();
  Start s;
  WorkspaceRequest w;
  CODEXOS_ASSIGN(w.caller, make_caller(create.caller_env, uid, gid));
  std::optional<FoundAgent> agent;
  if (asks_for_agent(create)) {
    CODEXOS_ASSIGN(agent, find_agent_for(create, w.caller, host_));
  }
  w.cwd = create.cwd;
  w.workspace = create.workspace;
  w.mode = create.mode;
  w.state_home = options_.home;
  CODEXOS_ASSIGN(s.workspace, find_workspace(w, host_));
  CODEXOS_ASSIGN(s.secrets, give_secrets(create, options_.vault));
  create.secrets = s.secrets.uses;
  if (agent) ask_for_hosts(agent->preset.hosts, create);
  ask_for_hosts(s.secrets.hosts, create);
  CODEXOS_ASSIGN(s.ssh, give_ssh_keys(create, w.caller, host_));
  ask_for_hosts(s.ssh.hosts, create);
  if (create.models) {
    if (create.net == wire::Network::host)
      return Error{Code::invalid, "with --net host there is no model gateway",
                   "without --net host"};
    create.net = wire::Network::allow;
    create.allow.emplace_back(kModelsHost);
  }
  if (agent && agent->preset.inner_sandbox == InnerSandbox::nested)
    create.seccomp = wire::SeccompProfile::nested;
  CODEXOS_TRY(obey_policies(create, w.caller, s));
  if (!s.wants_env.empty()) return s;
  if (agent) hold_credentials(agent->preset, create, s);
  if (needs_authority(create.allow, s.secrets)) {
    CODEXOS_ASSIGN(TaskCa ca, TaskCa::make(id));
    s.secrets.ca = std::make_shared<const TaskCa>(std::move(ca));
  }
  const bool alone = create.isolation == wire::Isolation::landlock;
  if (alone) CODEXOS_TRY(check_landlock(create, s));

  s.request = view_request(std::move(w.caller));
  s.request.seccomp = create.seccomp;
  s.request.net = create.net;
  CODEXOS_ASSIGN(s.view, views_.get(s.request));
  s.request.show = create.show;
  s.request.cwd = create.cwd;

  if (!s.workspace.roots.empty()) {
    if (!alone) CODEXOS_TRY(make_caches(s));
    if (create.mode == wire::WorkspaceMode::overlay) {
      CODEXOS_ASSIGN(s.from, find_from(create, s.workspace.roots[0], s));
      for (size_t n = 0; n < s.workspace.roots.size(); ++n) {
        Root& root = s.workspace.roots[n];
        root.layer = layer_dir + "/" + std::to_string(n);
        const std::string why = alone ? "isolation landlock" : why_copy_of(root);
        root.copied = !why.empty();
        if (alone) {
          root.task_uid = options_.task_host_uid;
          root.task_gid = options_.task_host_gid;
        }
        if (root.copied)
          s.notes.push_back("changes are held back in a copy of " + root.path + ": " + why);
      }
      if (s.from) CODEXOS_TRY(add_layers(*s.from, layers_of(s), s.workspace.roots));
      const Root& top = s.workspace.roots[0];
      const bool mapped = options_.task_host_uid != 0;  // to the owner of the workspace
      s.on_failure = foreign_note(top, mapped ? top.owner_uid : uid, mapped ? top.owner_gid : gid);
      if (!s.on_failure.empty()) s.notes.push_back(s.on_failure);
    }
  }
  copy_to_job(create, s.job);
  s.limits = create.limits;
  s.job.task_id = id;
  s.job.values = s.secrets.values;
  s.job.reach_ports = create.reach;
  s.job.cwd = s.workspace.cwd;
  std::vector<std::string> of_sockets;  // a task without namespaces connects to none
  CODEXOS_ASSIGN(s.job.mounts,
                 make_job_mounts(s.request, *s.view, host_, alone ? of_sockets : s.notes));
  std::map<std::string, std::string> env = create.env;
  env.insert(s.secrets.env.begin(), s.secrets.env.end());
  std::move(s.secrets.files.begin(), s.secrets.files.end(), std::back_inserter(s.job.mounts));
  const TaskPaths files(options_.home, "default", id);
  if (s.secrets.ca) add_trust(files.trust(), host_, s.job.mounts, env);
  CODEXOS_TRY(put_ssh(files.ssh(), create.net, s, env));
  if (agent) CODEXOS_TRY(put_agent(*agent, create, s, env));
  CODEXOS_TRY(add_roots(create, s));
  CODEXOS_TRY(keep_off_the_disk(create.secrets, s.job));
  CODEXOS_TRY(put_logins(inside_home(s.request.caller), s));
  CODEXOS_TRY(hide(s));
  CODEXOS_TRY(limit(create, s));
  CODEXOS_TRY(put_ports(create, s.job));
  add_notice(create, s);
  if (alone) CODEXOS_TRY(turn_into_rules(layer_dir, env, s));
  if (!alone) s.request.places = places_in_root(*s.view, s.job, host_);
  if (!s.request.places.empty()) {
    CODEXOS_ASSIGN(s.view, views_.get(s.request));
  }
  s.job.env = make_env(s.request, *s.view, s.job.mounts, env, id, s.job.cwd, host_);
  if (alone) {
    point_into_copy(s);
    s.job.mounts.clear();  // rules now
  }
  return s;
}

/// Cgroups are not looked at for a task that asks for nothing that they could hold.
Status Planner::limit(const wire::TaskCreate& create, Start& start) const {
  const CgroupSupport none;
  start.in_cgroup = options_.cgroups != nullptr && wants_cgroup(start.limits, create.limit_driver);
  const CgroupSupport& cgroups = start.in_cgroup ? options_.cgroups->support() : none;
  CODEXOS_ASSIGN(start.held, hold_limits(start.limits, create.limit_driver, cgroups));
  put_limits(start.limits, cgroups, start.job);
  start.in_cgroup = cgroups.version != 0;
  for (const auto& held : start.held)
    if (held.by.empty())
      start.remark_on("the " + held.name + " limit of " + held.value + " is not held: " + held.why);
  return {};
}

wire::PlanView Planner::show(const wire::TaskCreate& create, const Start& start) const {
  wire::PlanView p;
  p.argv = start.job.argv;
  p.cwd = start.job.cwd;
  if (!start.workspace.roots.empty()) p.workspace = start.workspace.roots[0].path;
  p.mode = create.mode;
  p.isolation = name_of(create.isolation);
  p.seccomp = name_of(start.request.seccomp);
  p.network = create.net == wire::Network::allow ? "by name" : std::string(name_of(create.net));
  p.allow = create.allow;
  p.inside_uid = start.view->uid.inside;
  p.timeout_ms = create.limits.timeout_ms;
  p.idle_timeout_ms = start.job.idle_timeout_ms;
  p.limits = start.held;
  if (start.landlock) {
    p.inside_uid =
        start.landlock->plan.uid != 0 ? start.landlock->plan.uid : start.request.caller.uid;
    for (const auto& r : start.landlock->plan.rules)
      if (!r.shim_only) p.mounts.push_back(describe_rule(r, start.workspace));
  }
  for (const auto& m : start.landlock ? std::vector<Mount>() : start.view->mounts)
    p.mounts.push_back(describe(m));
  for (const auto& m : start.job.mounts) {
    p.mounts.push_back(describe(m));
    for (const auto& root : start.workspace.roots)
      if (root.copied && m.source == copy_of(root)) {
        p.mounts.back().source = root.path;
        p.mounts.back().access = "held back in a copy";
      }
  }
  for (const auto& o : start.job.overlays)
    p.mounts.push_back(
        {std::string(name_of(o.role)), "overlay", o.lowers.back().path, o.target, "held back"});
  p.env = start.job.env;
  p.hidden = hidden_things(start.request.caller, host_);
  p.notes = start.notes;
  return p;
}

}  // namespace codexos::daemon
