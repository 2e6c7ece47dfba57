// SPDX-License-Identifier: Apache-2.0
// The planner's part for tasks without namespaces: what is planned as a view becomes rules.
#include <sys/stat.h>

#include "core/base/path.h"
#include "core/os/landlock.h"
#include "daemon/sandbox/landlock.h"
#include "daemon/sandbox/view_parts.h"
#include "daemon/tasks/planner.h"
#include "daemon/workspace/copy.h"

namespace codexos::daemon {
namespace {

/// What lies in the workspace is found in its copy.
std::string in_copy(const std::string& path, const std::vector<Root>& roots) {
  for (const auto& root : roots)
    if (root.copied && path_within(path, root.path))
      return copy_of(root) + path.substr(root.path.size());
  return path;
}

/// A root daemon's task is another user, who must be able to come to the state folder.
Status check_reachable(const std::string& home, const Host& host) {
  PathFact fact;
  if (!host.lookup(home, fact)) return {};
  for (std::string up = parent_path(fact.path);; up = parent_path(up)) {
    PathFact at;
    if (host.lookup(up, at) && (at.mode & S_IXOTH) == 0)
      return Error{
          Code::unavailable,
          "--isolation landlock: a task of root has a user of its own, who cannot reach its "
          "copy in " +
              fact.path + ": " + up + " is closed to other users",
          "set CODEXOS_HOME to a folder whose parents everybody may pass"};
    if (up == "/") return {};
  }
}

}  // namespace

Status Planner::check_landlock(const wire::TaskCreate& create, const Start& start) const {
  const bool root = options_.task_host_uid != 0;
  CODEXOS_TRY(check_for_landlock(create, root));
  CODEXOS_TRY(check_landlock_abi(landlock_abi()));
  const auto& roots = start.workspace.roots;
  if (create.mode == wire::WorkspaceMode::overlay && roots.size() > 1)
    return Error{Code::denied,
                 "--isolation landlock: " + roots[1].path + ", git's own folder of " +
                     roots[0].path +
                     ", lies outside of it, and a copy of it cannot stand in its place",
                 "--mode direct, or the repository's main work tree"};
  return root ? check_reachable(options_.home, host_) : Status();
}

Status Planner::turn_into_rules(const std::string& layer_dir,
                                std::map<std::string, std::string>& env, Start& start) const {
  LandlockStart out;
  LandlockPlaces places;
  places.private_dir = out.private_dir = parent_path(layer_dir) + "/private";
  places.state_home = options_.home;
  places.home_inside = inside_home(start.request.caller);
  out.plan.uid = options_.task_host_uid;
  out.plan.gid = options_.task_host_gid;
  CODEXOS_ASSIGN(out.plan.rules, landlock_rules(*start.view, start.job.mounts, places, host_));
  out.home = landlock_home(*start.view, places);
  out.plan.seccomp_allow = start.view->seccomp_allow;
  out.plan.seccomp_deny = start.view->seccomp_deny;
  out.plan.seccomp_seal = start.view->seccomp_seal;
  CODEXOS_ASSIGN(AlonePrograms programs, alone_programs());
  out.plan.seccomp_alone = std::move(programs.alone);
  out.plan.seccomp_guard = std::move(programs.guard);

  const auto& roots = start.workspace.roots;
  start.job.cwd = in_copy(start.job.cwd, roots);
  if (roots.empty())
    start.job.cwd = private_home(places);
  else
    start.request.workspace = roots.front().path;
  env.try_emplace("HOME", private_home(places));
  env.try_emplace("TMPDIR", private_tmp(places));
  // A file that is there and may not be read is an error to git, unlike one that is not there.
  env.try_emplace("GIT_CONFIG_NOSYSTEM", "1");
  auto notes = landlock_notes(places);
  start.notes.insert(start.notes.end(), notes.begin(), notes.end());
  start.landlock = std::move(out);
  return {};
}

/// Programs of the workspace are found in the copy.
void Planner::point_into_copy(Start& start) {
  constexpr std::string_view kPath = "PATH=";
  for (auto& variable : start.job.env) {
    if (variable.compare(0, kPath.size(), kPath) != 0) continue;
    std::string path;
    each_part(std::string_view(variable).substr(kPath.size()), ':', [&](std::string_view part) {
      path += (path.empty() ? "" : ":") + in_copy(std::string(part), start.workspace.roots);
    });
    variable = std::string(kPath) + path;
  }
}

}  // namespace codexos::daemon
