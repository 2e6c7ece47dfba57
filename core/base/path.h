// SPDX-License-Identifier: Apache-2.0
// Paths as text: nothing here asks the file system, so links are not followed. For paths that were
// resolved before, or that are about to be.
#pragma once

#include <string>
#include <string_view>

namespace codexos {

/// `path` is `dir` or lies in it; both absolute and normal.
inline bool path_within(std::string_view path, std::string_view dir) {
  if (dir == "/") return !path.empty() && path[0] == '/';
  return path.substr(0, dir.size()) == dir &&
         (path.size() == dir.size() || path[dir.size()] == '/');
}

/// Without "//", "/./", "x/.." and a last '/'. ".." above the root stays at the root. A relative
/// path is taken as below "/".
inline std::string normal_path(std::string_view path) {
  std::string out;
  while (!path.empty()) {
    const size_t slash = path.find('/');
    const std::string_view part = path.substr(0, slash);
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      out.resize(out.empty() ? 0 : out.rfind('/'));
      continue;
    }
    out += '/';
    out += part;
  }
  return out.empty() ? "/" : out;
}

/// The folder that holds `path`; "/" for "/".
inline std::string parent_path(std::string_view path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string_view::npos || slash == 0) return "/";
  return std::string(path.substr(0, slash));
}

/// `path` below `dir`; one '/' between them.
inline std::string join_path(std::string_view dir, std::string_view path) {
  std::string out(dir == "/" ? "" : dir);
  if (path.empty()) return out.empty() ? "/" : out;
  out += '/';
  out += path;
  return out;
}

}  // namespace codexos
