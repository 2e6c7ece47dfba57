// SPDX-License-Identifier: Apache-2.0
#include "daemon/workspace/diff.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string_view>

#include "core/base/path.h"
#include "core/os/file.h"
#include "daemon/workspace/git_note.h"
#include "daemon/workspace/ignore.h"
#include "daemon/workspace/libgit2.h"
#include "daemon/workspace/renames.h"

namespace codexos::daemon {
namespace {

constexpr size_t kMaxEntries = 200000;  // of one root; more is said
constexpr size_t kMaxRules = 1 << 20;   // bytes of one .gitignore

std::string text_at(const Fd& fd) {
  struct stat st {};
  if (!fd || fstat(fd.get(), &st) != 0 || !S_ISREG(st.st_mode)) return {};
  std::string out(std::min(static_cast<size_t>(st.st_size), kMaxRules), '\0');
  const ssize_t n = pread(fd.get(), out.data(), out.size(), 0);
  out.resize(n < 0 ? 0 : static_cast<size_t>(n));
  return out;
}
std::string text_at(const std::string& path) {
  return text_at(Fd(open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)));
}
bool exists(const std::string& path) {
  return faccessat(AT_FDCWD, path.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/// "a/.git/x" -> "a/.git"; empty: no folder of git's.
std::string git_folder_of(const Delta& d) {
  constexpr std::string_view kGit = ".git";
  for (size_t from = 0; from < d.path.size();) {
    const size_t slash = std::min(d.path.find('/', from), d.path.size());
    if (std::string_view(d.path).substr(from, slash - from) == kGit) {
      const bool folder = slash < d.path.size() ||
                          ((!d.before || d.before->is_dir()) && (!d.after || d.after->is_dir()));
      return folder ? d.path.substr(0, slash) : std::string();
    }
    from = slash + 1;
  }
  return {};
}

/// What git ignores in one root, by the real folder's rules and its index.
class Ignored {
 public:
  explicit Ignored(const LayerStack& stack) : stack_(stack) {
    for (std::string at = stack.path();; at = parent_path(at)) {
      if (exists(join_path(at, ".git"))) {
        top_ = at;
        break;
      }
      if (at == "/") break;
    }
    if (top_.empty()) top_ = stack.path();
    if (top_ != stack.path())
      prefix_ = stack.path().substr(top_ == "/" ? 1 : top_.size() + 1) + "/";
    IgnoreRules::Read read = [this](const std::string& folder) { return rules_of(folder); };
    rules_ = std::make_unique<IgnoreRules>(read);
    rules_->add_last(text_at(top_ + "/.git/info/exclude"));
    // A folder that a repository above ignores (one of dotfiles in $HOME) has its own rules only.
    if (prefix_.empty() || rules_->ignored(prefix_.substr(0, prefix_.size() - 1), true).empty())
      return;
    top_ = stack.path();
    prefix_.clear();
    rules_ = std::make_unique<IgnoreRules>(std::move(read));
  }

  /// The topmost ignored folder of this root that holds the path, or the path itself; empty: none.
  std::string holder(const Delta& d) {
    const bool folder = (d.after ? d.after : d.before)->is_dir();
    std::string found = rules_->ignored(prefix_ + d.path, folder);
    found.erase(0, prefix_.size());
    return !found.empty() && d.before && tracked(d.path) ? std::string() : found;
  }

 private:
  std::string rules_of(const std::string& folder) const {
    const std::string name = folder.empty() ? ".gitignore" : folder + "/.gitignore";
    if (name.starts_with(prefix_)) {
      const std::string below = name.substr(prefix_.size());
      struct stat st {};  // most folders have none, and looking is cheaper than opening
      if (fstatat(stack_.base(), below.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0) return {};
      return text_at(open_below(stack_.base(), below, O_RDONLY));
    }
    return text_at(top_ + "/" + name);
  }
  /// The index is read only when something that was there before is ignored.
  bool tracked(const std::string& path) {
    if (!looked_) {
      looked_ = true;
      use_libgit2();
      if (git_index_open(index_.out(), (git_dir() + "/index").c_str()) != 0)
        unreadable_ = exists(git_dir());
    }
    // Of a folder: whether anything in it is tracked is told by what is in it.
    return index_ ? git_index_get_bypath(index_.get(), (prefix_ + path).c_str(), 0) != nullptr
                  : unreadable_;
  }
  std::string git_dir() const {
    const std::string git = top_ + "/.git";
    std::string link = text_at(git);  // of a worktree: "gitdir: PATH"
    constexpr std::string_view kGitdir = "gitdir: ";
    if (!link.starts_with(kGitdir)) return git;
    link = link.substr(kGitdir.size(), link.find_first_of("\r\n") - kGitdir.size());
    return link.starts_with("/") ? link : top_ + "/" + link;
  }

  const LayerStack& stack_;
  std::string top_;     // of the git work tree
  std::string prefix_;  // of the root below it: "" or "a/b/"
  std::unique_ptr<IgnoreRules> rules_;
  GitPtr<git_index, git_index_free> index_;
  bool looked_ = false, unreadable_ = false;
};

void add_to(wire::ChangeCount& count, const Delta& d) {
  if (d.status == 'D' && d.before && d.before->is_dir()) return;  // what was in it counts
  ++(d.status == 'A' ? count.added : d.status == 'D' ? count.deleted : count.modified);
}

class Maker {
 public:
  Maker(RootDiff& out, const DiffOptions& o) : out_(out), o_(o), ignored_(out.stack) {}

  void run() {
    WalkOptions w;
    w.expand_deleted_folders = true;
    std::vector<Delta> kept;
    bool cut = false;
    out_.stack.each(
        w,
        [&](Delta&& d) {
          if (!wanted(d.path) || grouped(d)) return true;
          cut = kept.size() >= kMaxEntries;
          if (!cut) kept.push_back(std::move(d));
          return !cut;
        },
        out_.more);
    out_.more = out_.more || cut;
    std::sort(kept.begin(), kept.end(),
              [](const Delta& a, const Delta& b) { return a.path < b.path; });
    drop_folders_told_by_content(kept);
    take(std::move(kept));
    for (auto& [path, group] : ignored_groups_) out_.groups.push_back(std::move(group));
    for (auto& [path, g] : git_groups_) {
      g.group.note = git_note(out_.stack, path, g.deltas);
      out_.groups.push_back(std::move(g.group));
    }
    std::sort(out_.groups.begin(), out_.groups.end(),
              [](const DiffGroup& a, const DiffGroup& b) { return a.path < b.path; });
  }

 private:
  struct GitGroup {
    DiffGroup group;
    std::vector<Delta> deltas;
  };

  bool wanted(const std::string& path) const {
    if (o_.paths.empty()) return true;
    const std::string absolute = join_path(out_.root.path, path);
    return std::any_of(o_.paths.begin(), o_.paths.end(), [&](const std::string& spec) {
      if (spec.starts_with("/")) return match_pathspec(spec, absolute);
      return out_.root.role == MountRole::workspace && match_pathspec(spec, path);
    });
  }
  /// The user asks for what is in this folder.
  bool named(const std::string& folder) const {
    const std::string absolute = join_path(out_.root.path, folder);
    return std::any_of(o_.paths.begin(), o_.paths.end(), [&](std::string spec) {
      while (spec.size() > 1 && spec.ends_with('/')) spec.pop_back();
      return path_within(spec, spec.starts_with("/") ? absolute : folder);
    });
  }

  bool grouped(Delta& d) {
    if (o_.all) return false;
    const bool git_root = out_.root.role != MountRole::workspace;
    const std::string git = git_root ? "" : git_folder_of(d);
    if ((git_root || !git.empty()) && !named(git)) {
      GitGroup& g = git_groups_[git];
      g.group.status = 'G';
      g.group.path = git;
      add_to(g.group.count, d);
      g.deltas.push_back(std::move(d));
      return true;
    }
    if (git_root || !git.empty()) return false;
    const std::string holder = ignored_.holder(d);
    if (holder.empty() || named(holder)) return false;
    const bool itself = holder == d.path && !(d.after ? d.after : d.before)->is_dir();
    DiffGroup& group = ignored_groups_[itself ? holder : holder + "/"];
    group.path = itself ? holder : holder + "/";
    add_to(group.count, d);
    return true;
  }

  /// A folder that is gone is told by the files that were in it, unless it was empty.
  static void drop_folders_told_by_content(std::vector<Delta>& deltas) {
    size_t to = 0;
    std::vector<bool> told(deltas.size(), false);
    std::map<std::string_view, size_t> gone;
    for (size_t i = 0; i < deltas.size(); ++i) {
      const Delta& d = deltas[i];
      const size_t slash = d.path.rfind('/');
      if (d.status == 'D' && slash != std::string::npos) {
        const auto parent = gone.find(std::string_view(d.path).substr(0, slash));
        if (parent != gone.end()) told[parent->second] = true;
      }
      if (d.status == 'D' && d.before->is_dir()) gone.emplace(d.path, i);
    }
    gone.clear();
    for (size_t i = 0; i < deltas.size(); ++i) {
      if (told[i]) continue;
      if (to != i) deltas[to] = std::move(deltas[i]);
      ++to;
    }
    deltas.resize(to);
  }

  void take(std::vector<Delta> deltas) {
    std::map<size_t, Rename> by_to;
    std::vector<bool> moved(deltas.size(), false);
    for (const Rename& r : find_renames(out_.stack, deltas)) {
      by_to.emplace(r.to, r);
      moved[r.from] = true;
    }
    for (size_t i = 0; i < deltas.size(); ++i) {
      if (moved[i]) continue;
      DiffEntry e;
      if (const auto rename = by_to.find(i); rename != by_to.end()) {
        e.from = deltas[rename->second.from];
        e.similarity = rename->second.similarity;
      }
      e.delta = std::move(deltas[i]);
      out_.entries.push_back(std::move(e));
    }
  }

  RootDiff& out_;
  const DiffOptions& o_;
  Ignored ignored_;
  std::map<std::string, DiffGroup> ignored_groups_;
  std::map<std::string, GitGroup> git_groups_;
};

}  // namespace

Result<std::vector<RootDiff>> make_diff(const std::vector<Root>& roots, const DiffOptions& o) {
  std::vector<RootDiff> out;
  for (const auto& root : roots) {
    if (root.layer.empty()) continue;
    RootDiff& d = out.emplace_back();
    d.root = root;
    CODEXOS_ASSIGN(d.stack, LayerStack::open(root));
    Maker(d, o).run();
  }
  return out;
}

}  // namespace codexos::daemon
