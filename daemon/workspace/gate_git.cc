// SPDX-License-Identifier: Apache-2.0
#include "daemon/workspace/gate_git.h"

#include <algorithm>

namespace codexos::daemon {
namespace {

enum class Kind { file, folder, tree };  // tree: everything in it, and it

/// A component of a pattern is literal, "*" (any one), "XX" (two hex digits), or has a '*' at its
/// beginning or end.
struct DataRow {
  std::string_view pattern;
  Kind kind;
  GitPart part;
};
constexpr DataRow kData[] = {
    {"HEAD", Kind::file, GitPart::data},
    {"ORIG_HEAD", Kind::file, GitPart::data},
    {"FETCH_HEAD", Kind::file, GitPart::data},
    {"MERGE_HEAD", Kind::file, GitPart::data},
    {"MERGE_MODE", Kind::file, GitPart::data},
    {"MERGE_MSG", Kind::file, GitPart::data},
    {"MERGE_RR", Kind::file, GitPart::data},
    {"AUTO_MERGE", Kind::file, GitPart::data},
    {"CHERRY_PICK_HEAD", Kind::file, GitPart::data},
    {"REVERT_HEAD", Kind::file, GitPart::data},
    {"REBASE_HEAD", Kind::file, GitPart::data},
    {"SQUASH_MSG", Kind::file, GitPart::data},
    {"COMMIT_EDITMSG", Kind::file, GitPart::data},
    {"TAG_EDITMSG", Kind::file, GitPart::data},
    {"NOTES_EDITMSG", Kind::file, GitPart::data},
    {"description", Kind::file, GitPart::data},  // what gitweb shows
    {"gc.log", Kind::file, GitPart::data},
    {"index", Kind::file, GitPart::data},
    {"sharedindex.*", Kind::file, GitPart::data},
    {"packed-refs", Kind::file, GitPart::data},
    {"shallow", Kind::file, GitPart::data},
    {"objects", Kind::folder, GitPart::data},
    {"objects/XX", Kind::folder, GitPart::data},
    {"objects/XX/*", Kind::file, GitPart::data},
    {"objects/pack", Kind::folder, GitPart::data},
    {"objects/pack/*", Kind::file, GitPart::data},
    {"objects/info", Kind::folder, GitPart::data},
    {"objects/info/packs", Kind::file, GitPart::data},  // alternates are not data
    {"objects/info/commit-graph", Kind::file, GitPart::data},
    {"objects/info/commit-graphs", Kind::folder, GitPart::data},
    {"objects/info/commit-graphs/*", Kind::file, GitPart::data},
    {"refs", Kind::tree, GitPart::data},
    {"logs", Kind::tree, GitPart::data},
    {"reftable", Kind::tree, GitPart::data},
    {"rr-cache", Kind::tree, GitPart::data},
    {"opencode", Kind::file, GitPart::data},  // its name for the project
    {"lfs", Kind::folder, GitPart::data},
    {"lfs/objects", Kind::tree, GitPart::data},
    {"lfs/tmp", Kind::tree, GitPart::data},
    // what git init makes: the folders, and samples that git never runs under that name
    {"branches", Kind::folder, GitPart::data},
    {"hooks", Kind::folder, GitPart::data},
    {"hooks/*.sample", Kind::file, GitPart::data},
    {"info", Kind::folder, GitPart::data},
    {"info/refs", Kind::file, GitPart::data},
    {"info/exclude", Kind::file, GitPart::exclude},
    {"config", Kind::file, GitPart::config},
};

bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

bool component_fits(std::string_view name, std::string_view pattern) {
  if (pattern == "XX") return name.size() == 2 && is_hex(name[0]) && is_hex(name[1]);
  const size_t star = pattern.find('*');
  if (star == std::string_view::npos) return name == pattern;
  const auto head = pattern.substr(0, star);
  const auto tail = pattern.substr(star + 1);
  return name.size() > head.size() + tail.size() && name.substr(0, head.size()) == head &&
         name.substr(name.size() - tail.size()) == tail;
}

std::string_view take_component(std::string_view& path) {
  const size_t slash = std::min(path.find('/'), path.size());
  const auto first = path.substr(0, slash);
  path.remove_prefix(std::min(slash + 1, path.size()));
  return first;
}

bool fits(std::string_view path, const DataRow& row) {
  std::string_view pattern = row.pattern;
  while (!pattern.empty() && !path.empty())
    if (!component_fits(take_component(path), take_component(pattern))) return false;
  return pattern.empty() && (path.empty() || row.kind == Kind::tree);
}

bool kind_fits(const Facts& f, Kind kind) {
  switch (kind) {
    case Kind::file:
      return f.is_file();
    case Kind::folder:
      return f.is_dir();
    case Kind::tree:
      return f.is_file() || f.is_dir();
  }
  return false;
}

/// Streams and separators of another file system, hidden names: git writes no such name.
bool is_odd(std::string_view path) {
  return path.find_first_of("\\:~") != std::string_view::npos || path[0] == '.' ||
         path.find("/.") != std::string_view::npos;
}

}  // namespace

GitPart git_part(std::string_view rel, const Delta& d) {
  if (is_odd(rel)) return GitPart::other;
  if (!d.after && (rel == "HEAD" || rel == "refs")) return GitPart::other;  // no repository without
  for (const auto& row : kData) {
    if (!fits(rel, row)) continue;
    // A folder that goes, with all that is in it, only where all of that is data.
    if (row.kind == Kind::folder && (!d.after || (d.before && !d.before->is_dir()))) continue;
    if (d.before && !kind_fits(*d.before, row.kind)) continue;
    if (d.after && !kind_fits(*d.after, row.kind)) continue;
    return row.part;
  }
  // A folder of objects that git emptied by packing it.
  const DataRow emptied{"objects/XX", Kind::folder, GitPart::data};
  if (fits(rel, emptied) && !d.after && d.before && d.before->is_dir()) return GitPart::data;
  return GitPart::other;
}

bool excludes_nothing(std::string_view text) {
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const auto line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.find_first_not_of(" \t\r") != std::string_view::npos && line[0] != '#') return false;
  }
  return true;
}

}  // namespace codexos::daemon
