// SPDX-License-Identifier: Apache-2.0
// What policies make of a plan: the request becomes what they allow, and what they hide is covered.
#include <algorithm>
#include <utility>

#include "core/base/path.h"
#include "core/policy/check.h"
#include "core/policy/notice.h"
#include "daemon/tasks/planner.h"

namespace codexos::daemon {
namespace {

constexpr size_t kMaxCovers = 256;

policy::Names names_of(const std::map<std::string, std::string>& variables) {
  policy::Names out;
  for (const auto& [name, _] : variables) out.push_back(name);
  return out;
}

/// Which of them the caller was not asked for.
policy::Names not_asked(const policy::Names& wanted, const policy::Names& asked) {
  policy::Names out;
  for (const auto& x : wanted)
    if (std::find(asked.begin(), asked.end(), x) == asked.end()) out.push_back(x);
  return out;
}

/// Variables that policies pass on; what an option sets wins.
void pass_env(const policy::Names& patterns, const std::map<std::string, std::string>& from,
              std::map<std::string, std::string>& to) {
  for (const auto& [name, value] : from)
    for (const auto& pattern : patterns)
      if (policy::fits(pattern, name)) to.emplace(name, value);
}

std::string source_of(const std::string& show) { return show.substr(0, show.find(':')); }

PolicyPlace place_of(const Caller& caller, const std::string& cwd, const Workspace& workspace) {
  PolicyPlace place;
  place.uid = caller.uid;
  place.home = caller.home;
  place.cwd = cwd;
  if (workspace.roots.empty()) return place;
  place.workspace = workspace.roots.front().path;
  place.dev = workspace.roots.front().dev;
  place.ino = workspace.roots.front().ino;
  return place;
}

Mount cover(const std::string& target, bool is_dir) {
  Mount m;
  m.kind = is_dir ? MountKind::tmpfs : MountKind::hide;
  m.role = MountRole::hidden;
  m.target = target;
  m.read_only = true;
  m.mode = is_dir ? 0555 : 0444;
  m.size_bytes = 4096;
  m.inodes = 2;
  return m;
}

}  // namespace

Result<PolicyPlace> Planner::policy_place(const policy::PolicyQuery& query, uid_t uid, gid_t gid) {
  host_.refresh();
  WorkspaceRequest w;
  CODEXOS_ASSIGN(w.caller, make_caller(query.caller_env, uid, gid));
  w.cwd = query.cwd;
  w.workspace = query.workspace;
  w.state_home = options_.home;
  const auto found = find_workspace(w, host_);
  if (found.ok()) return place_of(w.caller, query.cwd, *found);
  // Where there can be no workspace, the other files count all the same.
  if (!query.workspace.empty()) return found.error();
  return place_of(w.caller, query.cwd, {});
}

Result<InsideView> Planner::inside(const std::map<std::string, std::string>& caller_env, uid_t uid,
                                   gid_t gid, const policy::Rights& rights,
                                   const std::string& workspace) {
  host_.refresh();
  CODEXOS_ASSIGN(Caller caller, make_caller(caller_env, uid, gid));
  ViewRequest r = view_request(std::move(caller));
  r.seccomp = rights.seccomp;
  r.net = rights.net;
  CODEXOS_ASSIGN(const View* const view, views_.get(r));
  r.cwd = workspace;
  for (const auto& x : rights.show)
    if (PathFact fact; host_.lookup(source_of(x), fact)) r.show.push_back(x);
  std::vector<std::string> notes;
  CODEXOS_ASSIGN(std::vector<Mount> more, make_job_mounts(r, *view, host_, notes));
  std::vector<Mount> mounts = view->mounts;
  std::move(more.begin(), more.end(), std::back_inserter(mounts));
  if (!workspace.empty()) {
    Mount m;
    m.role = MountRole::workspace;
    m.source = m.target = workspace;
    mounts.push_back(std::move(m));
  }
  return InsideView(host_, std::move(mounts), rights.hide);
}

Status Planner::obey_policies(wire::TaskCreate& create, const Caller& caller, Start& start) {
  // What is passed on gets into env; the rest is nobody's business.
  const auto passed = std::exchange(create.policy.env, {});
  const PolicyPlace place = place_of(caller, create.cwd, start.workspace);
  CODEXOS_ASSIGN(Decision d,
                 policies_.decide(place, create.policy, options_of(create), names_of(create.env)));
  if (!d.said) return {};
  policy::Rights& r = d.resolved.rights;
  start.wants_env = not_asked(r.env, create.policy.env_asked);
  if (!start.wants_env.empty()) return {};
  pass_env(r.env, passed, create.env);
  // A file is for more machines than this one: what is not here is told, not an error.
  const policy::Names asked = create.show;
  r.show.erase(std::remove_if(r.show.begin(), r.show.end(),
                              [&](const std::string& x) {
                                PathFact fact;
                                const bool option =
                                    std::find(asked.begin(), asked.end(), x) != asked.end();
                                if (option || host_.lookup(source_of(x), fact)) return false;
                                start.notes.push_back("show " + x + ": it does not exist here");
                                return true;
                              }),
               r.show.end());
  apply_rights(r, create);
  CODEXOS_TRY(check_create(create));
  for (const auto& note : d.resolved.notes) start.notes.push_back(note);
  if (!d.remark.empty()) start.notes.push_back(d.remark);
  for (const auto& note : start.notes) start.remark_on(note);
  start.policy = StoredPolicy{r, std::move(d.resolved.sources), std::move(d.resolved.notes),
                              std::move(d.resolved.widenings)};
  return {};
}

/// Covers what policies hide wherever the task would find it: below a mount that shows it, and a
/// mount itself that lies in a hidden folder. What is not there is not covered.
Status Planner::hide(Start& start) const {
  const auto& hidden = start.policy.rights.hide;
  if (hidden.empty()) return {};
  struct Shown {
    std::string source, target;
  };
  std::vector<Shown> shown;
  const std::vector<const std::vector<Mount>*> lists{&start.view->mounts, &start.job.mounts};
  for (const auto* list : lists)
    for (const auto& m : *list)
      if (m.kind == MountKind::bind) shown.push_back({m.source, m.target});
  for (const auto& root : start.workspace.roots) shown.push_back({root.path, root.path});

  std::vector<Mount> covers;
  const auto add = [&covers](const std::string& target, bool is_dir) {
    const bool known = std::any_of(covers.begin(), covers.end(),
                                   [&](const Mount& c) { return path_within(target, c.target); });
    if (!known) covers.push_back(cover(target, is_dir));
  };
  for (const auto& path : find_hidden(hidden)) {
    PathFact fact;
    if (!host_.lookup(path, fact)) continue;
    for (const Shown& s : shown) {
      if (path_within(fact.path, s.source))
        add(s.target + fact.path.substr(s.source.size()), fact.is_dir);
      else if (fact.is_dir && path_within(s.source, fact.path))
        add(s.target, true);
    }
  }
  if (covers.size() > kMaxCovers)
    return Error{Code::exhausted,
                 "hide: " + std::to_string(covers.size()) +
                     " paths are more than can be covered (" + std::to_string(kMaxCovers) + ")",
                 "hide the folders that they lie in"};
  std::move(covers.begin(), covers.end(), std::back_inserter(start.job.mounts));
  return {};
}

/// /run/codexos/policy.txt: what the task may do, for an agent in it to read.
void Planner::add_notice(const wire::TaskCreate& create, Start& start) {
  policy::Rights rights = start.policy.rights;
  if (start.policy.sources.empty()) apply_options(create, rights);
  policy::NoticeFacts facts;
  if (!start.workspace.roots.empty()) facts.workspace = start.workspace.roots.front().path;
  facts.mode = create.mode;
  facts.write = create.write;
  Mount m;
  m.kind = MountKind::file;
  m.role = MountRole::scratch;
  m.target = "/run/codexos/policy.txt";
  m.mode = 0444;
  m.content = policy::notice(rights, facts);
  start.job.mounts.push_back(std::move(m));
}

/// Patterns become what they fit.
std::vector<std::string> Planner::find_hidden(const policy::Names& patterns) const {
  std::vector<std::string> out;
  for (const auto& p : patterns) {
    if (p.back() != '*') {
      out.push_back(p);
      continue;
    }
    const std::string dir = parent_path(p);
    const std::string name = p.substr(p.rfind('/') + 1);
    for (const auto& entry : host_.list(dir))
      if (policy::fits(name, entry)) out.push_back(join_path(dir, entry));
  }
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace codexos::daemon
