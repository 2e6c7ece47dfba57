// SPDX-License-Identifier: Apache-2.0
// Which folder a task works on: the one that was named, else the git work tree that holds the
// current directory, else that directory. git itself is never run: a repository's configuration
// names programs.
#include <algorithm>

#include "core/base/path.h"
#include "core/policy/never.h"
#include "daemon/workspace/git.h"
#include "daemon/workspace/workspace.h"

namespace codexos::daemon {
namespace {

/// Folders that a task has of its own: with the host's in their place it would not run, or see the
/// host's devices and processes, or other users' homes.
struct SystemRow {
  std::string_view path;
  bool inside_too;
};
constexpr SystemRow kSystem[] = {
    {"/home", false},    {"/proc", true},   {"/sys", true},    {"/dev", false}, {"/dev/pts", true},
    {"/dev/shm", false}, {"/etc", false},   {"/usr", false},   {"/bin", false}, {"/sbin", false},
    {"/lib", false},     {"/lib32", false}, {"/lib64", false}, {"/var", false}, {"/run", false},
    {"/boot", false},    {"/nix", false},   {"/opt", false},
};

bool same(const PathFact& a, const PathFact& b) { return a.dev == b.dev && a.ino == b.ino; }

/// `path` is `dir` or lies in it, also through a bind mount: by device and inode along the path.
bool lies_in(const std::string& path, const PathFact& dir, const Host& host) {
  for (std::string p = path;; p = parent_path(p)) {
    PathFact fact;
    if (host.lookup(p, fact) && same(fact, dir)) return true;
    if (p == "/") return false;
  }
}

/// Why this folder may not be a workspace (or another root of one); empty: it may.
std::string refusal(const WorkspaceRequest& r, const PathFact& dir, const Host& host) {
  if (dir.path == "/") return "it is the whole file system";
  for (const auto& home : {r.caller.home, r.caller.passwd_home}) {
    if (dir.path == home) return "it is your home folder";
    if (path_within(home, dir.path)) return "it holds your home folder";
  }
  PathFact state;
  if (!r.state_home.empty() && host.lookup(r.state_home, state)) {
    if (lies_in(dir.path, state, host)) return "it lies in the state folder of codexos";
    if (lies_in(state.path, dir, host)) return "it holds the state folder of codexos";
  }
  // All of them lie in a home; what holds a home was refused above.
  const bool at_home =
      path_within(dir.path, r.caller.home) || path_within(dir.path, r.caller.passwd_home);
  for (const auto& never : at_home ? never_shown(r.caller) : std::vector<std::string>()) {
    PathFact fact;
    if (path_within(dir.path, never)) return never + " is never shown to a task";
    if (path_within(never, dir.path) && host.lookup(never, fact))
      return "it holds " + never + ", which is never shown to a task";
  }
  for (const auto& row : kSystem)
    if (dir.path == row.path || (row.inside_too && path_within(dir.path, row.path)))
      return "a task has a " + std::string(row.path) + " of its own";
  return {};
}

Error refused(const std::string& path, const std::string& why) {
  return Error{Code::denied, path + " cannot be a workspace: " + why,
               "use a folder below it: cd into it, or -w DIR"};
}

Root root_at(const PathFact& dir, MountRole role, const Host& host) {
  Root root;
  root.role = role;
  root.path = dir.path;
  root.dev = dir.dev;
  root.ino = dir.ino;
  host.owner(dir.path, root.owner_uid, root.owner_gid);
  return root;
}

Result<PathFact> folder(const std::string& path, const Host& host, const char* what) {
  PathFact fact;
  if (path.empty() || path[0] != '/')
    return Error{Code::invalid, std::string(what) + " is not an absolute path: " + path, {}};
  if (!host.lookup(path, fact))
    return Error{Code::invalid, std::string(what) + " " + path + " does not exist", {}};
  if (!fact.is_dir)
    return Error{Code::invalid, std::string(what) + " " + path + " is not a folder", {}};
  return fact;
}

/// Without -w: the git top level unless it is refused, else the current directory.
Result<PathFact> choose(const WorkspaceRequest& r, const PathFact& cwd, const Host& host) {
  PathFact top;
  if (find_git_top(cwd.path, host, top) && refusal(r, top, host).empty()) return top;
  if (const std::string why = refusal(r, cwd, host); !why.empty()) return refused(cwd.path, why);
  return cwd;
}

/// git's folders outside of the workspace become roots of their own; never one that is refused, nor
/// one that holds the workspace (it would cover it).
void add_git_roots(const WorkspaceRequest& r, const PathFact& top, const Host& host,
                   std::vector<Root>& roots) {
  for (const auto& dir : git_dirs_outside(top, host)) {
    const auto overlaps = [&](const Root& root) {
      return path_within(dir.path, root.path) || path_within(root.path, dir.path);
    };
    if (!refusal(r, dir, host).empty() || std::any_of(roots.begin(), roots.end(), overlaps))
      continue;
    roots.push_back(root_at(dir, MountRole::gitdir, host));
  }
}

}  // namespace

Result<Workspace> find_workspace(const WorkspaceRequest& r, const Host& host) {
  Workspace w;
  if (r.mode == wire::WorkspaceMode::none) {
    w.cwd = r.caller.home.empty() || r.caller.home == "/" ? "/tmp" : r.caller.home;
    return w;
  }
  PathFact cwd, top;
  if (r.workspace.empty()) {
    CODEXOS_ASSIGN(cwd, folder(r.cwd, host, "the current directory"));
    CODEXOS_ASSIGN(top, choose(r, cwd, host));
  } else {
    CODEXOS_ASSIGN(top, folder(r.workspace, host, "the workspace"));
    if (const std::string why = refusal(r, top, host); !why.empty()) return refused(top.path, why);
    host.lookup(r.cwd, cwd);  // may be gone: the task then starts in the workspace
  }
  w.roots.push_back(root_at(top, MountRole::workspace, host));
  add_git_roots(r, top, host, w.roots);
  w.cwd = cwd.is_dir && path_within(cwd.path, top.path) ? cwd.path : top.path;
  return w;
}

std::vector<std::string> mounts_below(const std::string& mountinfo, const std::string& root) {
  std::vector<std::string> out;
  for (std::string_view rest = mountinfo; !rest.empty();) {
    const size_t newline = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, newline);
    rest.remove_prefix(std::min(newline + 1, rest.size()));
    for (int field = 0; field < 4; ++field) {  // proc(5): the fifth is the mount point
      const size_t blank = line.find(' ');
      line.remove_prefix(blank == std::string_view::npos ? line.size() : blank + 1);
    }
    const std::string_view escaped = line.substr(0, line.find(' '));
    std::string path;
    for (size_t i = 0; i < escaped.size(); ++i) {
      const bool octal = escaped[i] == '\\' && i + 3 < escaped.size();
      path += octal ? static_cast<char>((escaped[i + 1] - '0') * 64 + (escaped[i + 2] - '0') * 8 +
                                        (escaped[i + 3] - '0'))
                    : escaped[i];
      if (octal) i += 3;
    }
    if (path != root && path_within(path, root)) out.push_back(std::move(path));
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

}  // namespace codexos::daemon
