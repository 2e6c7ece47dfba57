// SPDX-License-Identifier: Apache-2.0
// Undo: the operations of an apply the other way round, for every path that is still what we wrote.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "core/base/clock.h"
#include "daemon/workspace/apply_prepare.h"
#include "daemon/workspace/commit.h"
#include "daemon/workspace/merge.h"

namespace codexos::daemon {
namespace {

using wire::ApplyOutcome;
using wire::OnConflict;

constexpr uint32_t kNewFolder = 0755;

class Undo {
 public:
  Undo(const UndoRequest& request, Images& images, Prepared& out)
      : request_(request), images_(images), out_(out) {}

  Status make() {
    for (const Root& root : request_.roots) {
      Root real = root;
      real.layer.clear();
      real.lowers.clear();
      CODEXOS_ASSIGN(auto stack, LayerStack::open(real));
      out_.stacks.push_back(std::make_unique<LayerStack>(std::move(stack)));
    }
    for (size_t i = 0; i < request_.ops.size(); ++i) {
      was_[{request_.ops[i].root, request_.ops[i].path}] = i;
      CODEXOS_TRY(look_at(request_.ops[i]));
    }
    keep_folders();
    add_folders_above();
    for (Op& op : ops_) emit(std::move(op));
    auto& result = out_.result;
    result.outcome = !result.conflicts.empty() ? ApplyOutcome::conflict
                     : out_.ops.empty()        ? ApplyOutcome::nothing
                                               : ApplyOutcome::done;
    return {};
  }

 private:
  const LayerStack& real(const Op& op) const { return *out_.stacks.at(op.root); }
  const std::string& root_path(const Op& op) const { return request_.roots.at(op.root).path; }

  /// The entry as it is now, with all that is compared.
  Result<Side> now(const Op& op) const {
    Side side = side_of(real(op).look_before(op.path));
    if (side.kind == EntryKind::link) {
      read_side(real(op).base(), op.path, side);
    } else if (side.kind == EntryKind::file) {
      const Fd fd = open_below(real(op).base(), op.path, O_RDONLY);
      struct stat st {};
      if (fd && fstat(fd.get(), &st) == 0 && S_ISREG(st.st_mode)) {
        CODEXOS_ASSIGN(side.digest, images_.digest(fd.get()));
      }
    }
    return side;
  }
  static bool same(const Side& a, const Side& b) {
    if (a.kind != b.kind) return false;
    if (a.kind == EntryKind::link) return a.target == b.target;
    if (a.kind == EntryKind::absent) return true;
    if ((a.mode & kPermissions) != (b.mode & kPermissions)) return false;
    return a.kind == EntryKind::folder || (a.size == b.size && a.digest == b.digest);
  }

  Status look_at(const Op& op) {
    CODEXOS_ASSIGN(Side found, now(op));
    if (same(found, op.pre)) return {};
    const bool ours = op.post.kind == EntryKind::folder && op.pre.kind != EntryKind::folder
                          ? found.kind == EntryKind::folder
                          : same(found, op.post) || is_only_refreshed(op, found);
    Op back;
    back.root = op.root;
    back.path = op.path;
    back.pre = found;
    back.post = op.pre;
    if (!ours && merge(op, back)) {
      if (back.post.digest != back.pre.digest || back.post.mode != (back.pre.mode & kPermissions))
        ops_.push_back(std::move(back));
      return {};
    }
    if (!ours && !take_anyway(op, found)) return {};
    ops_.push_back(std::move(back));
    return {};
  }

  /// With --on-conflict merge, of a text that was changed since: what the apply did to it is taken
  /// out of what is there now. False: that cannot be.
  bool merge(const Op& op, Op& back) {
    if (request_.body.on_conflict != OnConflict::merge) return false;
    for (const Side* side : std::initializer_list<const Side*>{&op.pre, &op.post, &back.pre})
      if (side->kind != EntryKind::file) return false;
    const auto base = text_of(op.post.digest), before = text_of(op.pre.digest);
    const auto now = text_here(op, back.pre.digest);
    if (!base || !before || !now) return false;
    auto merged = merge_texts(*base, *now, *before, path_text(op.path), request_.task);
    if (!merged.ok()) return false;
    const auto mode = merge_modes(op.post.mode, back.pre.mode, op.pre.mode);
    back.post = Side{};
    back.post.kind = EntryKind::file;
    back.post.mode = mode ? *mode : back.pre.mode & kPermissions;
    back.post.size = merged->text.size();
    back.post.digest = images_.digest_of(merged->text);
    back.post.mtime_ns = now_us() * 1000;
    back.post.uid = back.pre.uid;
    back.post.gid = back.pre.gid;
    back.post.nlink = 1;
    std::string why = "changed here since the apply";
    if (!merged->clean) why += "; conflict markers are in it";
    out_.result.merged.push_back({path_text(op.path), root_path(op), {}, std::move(why)});
    merged_[{op.root, op.path}] = std::move(merged->text);
    return true;
  }
  static std::optional<std::string> text_in(const Fd& fd) {
    std::string out(kMergeLimit + 1, '\0');
    size_t at = 0;
    while (fd && at < out.size()) {
      const ssize_t n = pread(fd.get(), out.data() + at, out.size() - at, static_cast<off_t>(at));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return std::nullopt;
      if (n == 0) break;
      at += static_cast<size_t>(n);
    }
    out.resize(at);
    if (!fd || !is_mergeable_text(out)) return std::nullopt;
    return out;
  }
  std::optional<std::string> text_of(const std::string& digest) const {
    const auto fd = images_.open(digest);
    return fd.ok() ? text_in(*fd) : std::nullopt;
  }
  std::optional<std::string> text_here(const Op& op, const std::string& digest) const {
    auto text = text_in(open_below(real(op).base(), op.path, O_RDONLY));
    if (text && images_.digest_of(*text) != digest) return std::nullopt;
    return text;
  }

  /// A `git status` since then writes the index, and says nothing by it.
  bool is_only_refreshed(const Op& op, const Side& found) const {
    if (op.post.kind != EntryKind::file || found.kind != EntryKind::file ||
        !in_git_dir(request_.roots.at(op.root).role, op.path))
      return false;
    const auto wrote = images_.open(op.post.digest);
    return (wrote.ok() &&
            same_index(wrote->get(), open_below(real(op).base(), op.path, O_RDONLY).get())) ||
           is_clean_index(request_.roots.front(), root_path(op) + "/" + op.path);
  }

  bool take_anyway(const Op& op, const Side& found) {
    const std::string why = found.kind == EntryKind::absent     ? "it was removed since the apply"
                            : op.post.kind == EntryKind::absent ? "it was made since the apply"
                                                                : "it was changed since the apply";
    if (request_.body.on_conflict == OnConflict::theirs) return true;
    auto& list =
        request_.body.on_conflict == OnConflict::ours ? out_.result.kept : out_.result.conflicts;
    list.push_back({path_text(op.path), root_path(op), {}, why});
    return false;
  }

  /// A folder that holds something of the user's by now stays.
  void keep_folders() {
    std::set<std::pair<uint32_t, std::string>> going;
    for (const Op& op : ops_)
      if (op.post.kind != EntryKind::folder && op.pre.kind != EntryKind::absent)
        going.emplace(op.root, op.path);
    // Deepest first: a folder that stays keeps those above it.
    std::sort(ops_.begin(), ops_.end(), [](const Op& a, const Op& b) { return a.path > b.path; });
    std::vector<Op> left;
    for (Op& op : ops_) {
      const bool goes = op.pre.kind == EntryKind::folder && op.post.kind != EntryKind::folder;
      if (!goes || holds_only(op, going)) {
        left.push_back(std::move(op));
        continue;
      }
      going.erase({op.root, op.path});
      if (op.post.kind == EntryKind::absent) {
        out_.result.notes.push_back(path_text(op.path) +
                                    " stays: it holds what was made since the apply");
      } else {
        out_.result.conflicts.push_back(
            {path_text(op.path), root_path(op), {}, "it holds what was made since the apply"});
      }
    }
    ops_ = std::move(left);
    std::reverse(ops_.begin(), ops_.end());
  }
  bool holds_only(const Op& op, const std::set<std::pair<uint32_t, std::string>>& going) const {
    const Fd dir = open_below(real(op).base(), op.path, O_RDONLY | O_DIRECTORY);
    const auto names = names_in(dir.get());
    return dir && std::all_of(names.begin(), names.end(), [&](const std::string& name) {
             return going.count({op.root, op.path + "/" + name}) != 0;
           });
  }

  /// Folders that were removed since: what comes back needs them.
  void add_folders_above() {
    std::set<std::pair<uint32_t, std::string>> there;
    for (const Op& op : ops_)
      if (op.post.kind == EntryKind::folder) there.emplace(op.root, op.path);
    std::vector<Op> more;
    for (const Op& op : ops_) {
      if (op.post.kind == EntryKind::absent) continue;
      for (size_t slash = op.path.find('/'); slash != std::string::npos;
           slash = op.path.find('/', slash + 1)) {
        const std::string folder = op.path.substr(0, slash);
        if (!there.emplace(op.root, folder).second || real(op).look_before(folder)) continue;
        Op above;
        above.root = op.root;
        above.path = folder;
        above.post.kind = EntryKind::folder;
        above.post.mode = kNewFolder;
        more.push_back(std::move(above));
      }
    }
    ops_.insert(ops_.end(), more.begin(), more.end());
    std::stable_sort(ops_.begin(), ops_.end(), [](const Op& a, const Op& b) {
      return std::tie(a.root, a.path) < std::tie(b.root, b.path);
    });
  }

  static std::string status_of(const Op& op) {
    if (op.pre.kind == EntryKind::absent) return "A";
    if (op.post.kind == EntryKind::absent) return "D";
    return op.pre.kind == op.post.kind ? "M" : "T";
  }
  void emit(Op op) {
    wire::Change c;
    c.status = status_of(op);
    c.path = path_text(op.path);
    c.root = root_path(op);
    out_.result.applied.push_back(std::move(c));
    Content content;
    content.digest = op.post.digest;
    if (const auto merged = merged_.find({op.root, op.path}); merged != merged_.end()) {
      content.text = std::move(merged->second);
      content.has_text = true;
    }
    const auto was = was_.find({op.root, op.path});
    if (op.post.nlink > 1 && was != was_.end())
      content.inode = request_.inodes + "/" + std::to_string(was->second);
    out_.contents.push_back(std::move(content));
    out_.ops.push_back(std::move(op));
  }

  const UndoRequest& request_;
  Images& images_;
  Prepared& out_;
  std::vector<Op> ops_;
  std::map<std::pair<uint32_t, std::string>, size_t> was_;  // index in the apply
  std::map<std::pair<uint32_t, std::string>, std::string> merged_;
};

}  // namespace

Result<Prepared> prepare_undo(const UndoRequest& request, Images& images) {
  Prepared out;
  out.result.task = request.task;
  out.result.dry_run = request.body.dry_run;
  CODEXOS_TRY(Undo(request, images, out).make());
  return out;
}

}  // namespace codexos::daemon
