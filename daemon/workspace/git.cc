// SPDX-License-Identifier: Apache-2.0
#include "daemon/workspace/git.h"

#include <algorithm>

#include "core/base/path.h"

namespace codexos::daemon {
namespace {

bool same_place(const PathFact& a, const PathFact& b) { return a.dev == b.dev && a.ino == b.ino; }

std::string_view first_line(std::string_view text) {
  text = text.substr(0, text.find('\n'));
  while (!text.empty() && (text.back() == '\r' || text.back() == ' ')) text.remove_suffix(1);
  return text;
}

std::string from(const std::string& dir, std::string_view path) {
  return !path.empty() && path[0] == '/' ? normal_path(path) : normal_path(join_path(dir, path));
}

/// The folder that a small file of one line names, relative to `base`.
bool named_by(const std::string& file, std::string_view prefix, const std::string& base,
              const Host& host, PathFact& out) {
  std::string text;
  if (!host.read(file, text)) return false;
  std::string_view line = first_line(text);
  if (line.substr(0, prefix.size()) != prefix) return false;
  line.remove_prefix(prefix.size());
  while (!line.empty() && line[0] == ' ') line.remove_prefix(1);
  return !line.empty() && host.lookup(from(base, line), out);
}

bool has(const Host& host, const std::string& dir, const char* name) {
  PathFact fact;
  return host.lookup(join_path(dir, name), fact);
}

/// HEAD, objects and refs: what git itself asks for (is_git_directory).
bool is_repository(const PathFact& dir, const Host& host) {
  return dir.is_dir && has(host, dir.path, "HEAD") && has(host, dir.path, "objects") &&
         has(host, dir.path, "refs");
}
bool is_worktree_dir(const PathFact& dir, const Host& host) {
  return dir.is_dir && has(host, dir.path, "HEAD") && has(host, dir.path, "commondir") &&
         has(host, dir.path, "gitdir");
}

/// core.worktree of a submodule's config; empty: not set.
std::string core_worktree(const std::string& dir, const Host& host) {
  std::string text, found;
  if (!host.read(join_path(dir, "config"), text)) return {};
  bool core = false;
  for (std::string_view rest = text; !rest.empty();) {
    const size_t newline = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, newline);
    rest.remove_prefix(std::min(newline + 1, rest.size()));
    while (!line.empty() && (line[0] == ' ' || line[0] == '\t')) line.remove_prefix(1);
    if (!line.empty() && line[0] == '[') core = line.substr(0, 6) == "[core]";
    const size_t eq = line.find('=');
    if (!core || eq == std::string_view::npos || line.substr(0, 8) != "worktree") continue;
    std::string_view value = line.substr(eq + 1);
    while (!value.empty() && value[0] == ' ') value.remove_prefix(1);
    found = std::string(first_line(value));
  }
  return found;
}

bool points_back(const PathFact& dir, const PathFact& top, const Host& host) {
  PathFact back, git_file;
  if (is_worktree_dir(dir, host))
    return named_by(join_path(dir.path, "gitdir"), "", dir.path, host, back) &&
           host.lookup(join_path(top.path, ".git"), git_file) && same_place(back, git_file);
  const std::string worktree = core_worktree(dir.path, host);
  return !worktree.empty() && host.lookup(from(dir.path, worktree), back) && same_place(back, top);
}

/// The common dir of a worktree's git dir: a repository that lists that worktree.
bool common_dir(const PathFact& dir, const Host& host, PathFact& out) {
  if (!named_by(join_path(dir.path, "commondir"), "", dir.path, host, out)) return false;
  PathFact list;
  return is_repository(out, host) && host.lookup(join_path(out.path, "worktrees"), list) &&
         path_within(dir.path, list.path);
}

}  // namespace

bool find_git_top(const std::string& dir, const Host& host, PathFact& top) {
  for (std::string at = dir;; at = parent_path(at)) {
    PathFact git, named;
    const std::string path = join_path(at, ".git");
    if (host.lookup(path, git)) {
      const bool real = git.is_dir ? is_repository(git, host)
                                   : named_by(path, "gitdir:", at, host, named) && named.is_dir;
      if (real) return host.lookup(at, top);
    }
    if (at == "/") return false;
  }
}

std::vector<PathFact> git_dirs_outside(const PathFact& top, const Host& host) {
  std::vector<PathFact> found;
  PathFact dir, common;
  if (!named_by(join_path(top.path, ".git"), "gitdir:", top.path, host, dir)) return found;
  if (!(is_worktree_dir(dir, host) || is_repository(dir, host)) || !points_back(dir, top, host))
    return found;
  if (is_worktree_dir(dir, host)) {
    if (!common_dir(dir, host, common)) return found;
    found.push_back(common);
  }
  found.push_back(dir);
  std::vector<PathFact> out;
  for (const auto& f : found) {
    const auto covers = [&](const PathFact& o) { return path_within(f.path, o.path); };
    if (!path_within(f.path, top.path) && std::none_of(out.begin(), out.end(), covers))
      out.push_back(f);
  }
  return out;
}

}  // namespace codexos::daemon
