// SPDX-License-Identifier: Apache-2.0
// A diff as the wire tells it.
#include <algorithm>

#include "core/base/text.h"
#include "daemon/workspace/diff.h"
#include "daemon/workspace/parallel.h"
#include "daemon/workspace/patch.h"

namespace codexos::daemon {
namespace {

void set_path(const std::string& path, std::string& text, std::string& raw) {
  text = path_text(path);
  if (!is_utf8(path)) raw = to_base64(path);
}

wire::Change change_of(const RootDiff& root, const DiffEntry& e) {
  const Delta& d = e.delta;
  const auto& before = e.from ? e.from->before : d.before;
  wire::Change c;
  c.status = e.from ? "R" : std::string(1, d.status);
  c.root = root.root.path;
  set_path(d.path, c.path, c.raw);
  if (e.from) {
    set_path(e.from->path, c.from, c.from_raw);
    c.similarity = e.similarity;
  }
  c.kind = kind_text(d.after ? *d.after : *before);
  if (before) c.old_mode = mode_text(*before);
  if (d.after) c.new_mode = mode_text(*d.after);
  if (before && before->is_file()) c.old_size = before->size;
  if (d.after && d.after->is_file()) c.new_size = d.after->size;
  c.xattrs = d.xattrs;
  return c;
}

wire::Change change_of(const RootDiff& root, const DiffGroup& g) {
  wire::Change c;
  c.status = std::string(1, g.status);
  c.root = root.root.path;
  c.kind = g.path.ends_with('/') || g.status == 'G' ? "folder" : "file";
  c.collapsed = g.count;
  c.note = group_text(g, root.root);
  set_path(g.path, c.path, c.raw);
  return c;
}

/// A change whose lines are to be counted, by its place in the list.
struct Uncounted {
  size_t at;
  const RootDiff* root;
  const DiffEntry* entry;
};

void count(const std::vector<Uncounted>& todo, std::vector<wire::Change>& changes) {
  in_parallel(todo.size(), [&](size_t i) {
    const LineCount n = count_lines(todo[i].root->stack, *todo[i].entry);
    wire::Change& c = changes[todo[i].at];
    c.binary = n.binary;
    c.added = n.added;
    c.removed = n.removed;
  });
}

}  // namespace

std::string mode_text(const Facts& f) {
  char text[16];
  snprintf(text, sizeof text, "%06o", f.mode);
  return text;
}

std::string_view kind_text(const Facts& f) {
  struct Row {
    uint32_t type;
    std::string_view name;
  };
  constexpr Row kRows[] = {{S_IFREG, "file"},
                           {S_IFDIR, "folder"},
                           {S_IFLNK, "symlink"},
                           {S_IFIFO, "fifo"},
                           {S_IFSOCK, "socket"}};
  for (const Row& row : kRows)
    if ((f.mode & S_IFMT) == row.type) return row.name;
  return "device";
}

std::vector<wire::Change> changes_of(const std::vector<RootDiff>& diff, const DiffOptions& o,
                                     bool& more) {
  std::vector<wire::Change> out;
  std::vector<Uncounted> uncounted;
  more = false;
  for (const RootDiff& root : diff) {
    more = more || root.more;
    // Both are sorted by path.
    size_t group = 0;
    const auto groups_before = [&](const std::string* path) {
      for (; group < root.groups.size(); ++group) {
        if (path != nullptr && root.groups[group].path > *path) return;
        out.push_back(change_of(root, root.groups[group]));
      }
    };
    for (const DiffEntry& e : root.entries) {
      groups_before(&e.delta.path);
      if (o.stat) uncounted.push_back({out.size(), &root, &e});
      out.push_back(change_of(root, e));
    }
    groups_before(nullptr);
  }
  count(uncounted, out);
  return out;
}

}  // namespace codexos::daemon
