// SPDX-License-Identifier: Apache-2.0
// The walk over layers: a folder at a time, what the layers say about each name in it against what
// the real folder has. A file that was only touched, or written with what it held before, is no
// change.
#include <algorithm>
#include <set>

#include "daemon/workspace/layers.h"

namespace codexos::daemon {
namespace {

constexpr uint64_t kCompareLimit =
    64 << 20;  // above, a file of equal size but other time counts as other

constexpr uint32_t kModeBits = 07777;

}  // namespace

class LayerWalk {
 public:
  LayerWalk(const LayerStack& stack, const WalkOptions& o, const LayerStack::OnDelta& on_delta)
      : stack_(stack), o_(o), on_delta_(on_delta) {}

  bool run() {
    Entry root;
    root.before.emplace().mode = S_IFDIR;
    root.merged = stack_.root();
    (void)folder(root);
    return more_;
  }

 private:
  using Found = LayerStack::Found;

  struct Entry {
    std::string path;
    LayerStack::Merged merged;
    std::optional<Facts> before;
    bool was_dir() const { return before && before->is_dir(); }
  };

  // --- what is told -----------------------------------------------------------------------------

  bool report(Delta&& d) {
    reported_ = true;
    if (o_.limit != 0 && told_ == o_.limit) {
      more_ = true;
      return false;
    }
    ++told_;
    return on_delta_(std::move(d));
  }
  static Delta delta(char status, const Entry& e) {
    Delta d;
    d.status = status;
    d.path = e.path;
    d.before = e.before;
    d.layer = e.merged.layer;
    if (status != 'D') d.after = e.merged.facts;
    return d;
  }
  bool gone(const Entry& e) {
    return report(delta('D', e)) && (!e.was_dir() || gone_below(e.path, e.merged.layer));
  }
  /// What the real folder `path` holds is gone with it.
  bool gone_below(const std::string& path, int layer) {
    if (!o_.expand_deleted_folders) return true;
    const Fd dir = open_below(stack_.base(), path, O_RDONLY | O_DIRECTORY);
    if (!dir) more_ = true;
    std::vector<Entry> entries;
    for (const auto& name : names_in(dir.get())) {
      Entry e;
      Facts facts;
      e.path = path + "/" + name;
      e.merged.layer = layer;
      if (LayerStack::look(dir.get(), name, facts) == Found::nothing) continue;
      e.before = facts;
      entries.push_back(std::move(e));
    }
    return std::all_of(entries.begin(), entries.end(), [&](const Entry& e) { return gone(e); });
  }

  // --- one folder -------------------------------------------------------------------------------

  /// A folder in the merged state. False: stop. No descriptor is held while its folders are walked.
  bool folder(const Entry& at) {
    std::vector<Entry> folders;
    return content(at, folders) && std::all_of(folders.begin(), folders.end(),
                                               [&](const Entry& e) { return changed_folder(e); });
  }

  bool content(const Entry& at, std::vector<Entry>& folders) {
    const std::vector<Fd> dirs = stack_.open_folders(at.path, at.merged);
    std::set<std::string> names;
    for (const Fd& dir : dirs) {
      if (!dir) more_ = true;
      names.merge(names_in(dir.get()));
    }
    Fd base;
    if (at.was_dir()) base = open_below(stack_.base(), at.path, O_RDONLY | O_DIRECTORY);
    if (at.was_dir() && !base) more_ = true;
    if (at.was_dir() && !at.path.empty() && !folder_itself(at, dirs[0].get(), base.get()))
      return false;
    if (!at.merged.real_below) names.merge(names_in(base.get()));  // hidden by the layers: gone
    for (const auto& name : names) {
      Entry e;
      Facts real;
      e.path = at.path.empty() ? name : at.path + "/" + name;
      e.merged = LayerStack::merge(dirs, at.merged, name);
      if (e.merged.layer < 0) e.merged.layer = at.merged.hider;
      if (LayerStack::look(base.get(), name, real) != Found::nothing) e.before = real;
      if (e.merged.found == Found::folder)
        folders.push_back(std::move(e));
      else if (!entry(e, name, dirs, at.merged, base.get()))
        return false;
    }
    return true;
  }

  /// Anything but a folder.
  bool entry(const Entry& e, const std::string& name, const std::vector<Fd>& dirs,
             const LayerStack::Merged& parent, int base) {
    if (e.merged.found != Found::other) return !e.before || gone(e);
    if (!e.before) return report(delta('A', e));
    if ((e.merged.facts.mode & S_IFMT) != (e.before->mode & S_IFMT))
      return report(delta('T', e)) && (!e.was_dir() || gone_below(e.path, e.merged.layer));
    Delta d = delta('M', e);
    const auto at = std::find(parent.folders.begin(), parent.folders.end(), e.merged.layer);
    compare(d, name, dirs[static_cast<size_t>(at - parent.folders.begin())].get(), base);
    return !(d.content || d.mode || d.xattrs) || report(std::move(d));
  }

  /// A folder is told for itself only when it says something that its content does not.
  bool changed_folder(const Entry& e) {
    if (e.before && !e.was_dir() && !report(delta('T', e))) return false;
    if (!e.before && o_.all_folders && !report(delta('A', e))) return false;
    if (!e.was_dir() && !o_.expand_new_folders)
      return e.before || o_.all_folders || report(delta('A', e));
    const bool outer = reported_;
    reported_ = false;
    if (!folder(e)) return false;
    const bool empty = !reported_;
    reported_ = outer || reported_;
    return e.before || o_.all_folders || !empty || report(delta('A', e));
  }

  bool folder_itself(const Entry& e, int now, int was) {
    Delta d = delta('M', e);
    d.mode = (d.after->mode & kModeBits) != (d.before->mode & kModeBits);
    d.xattrs = now >= 0 && was >= 0 && user_xattrs(now) != user_xattrs(was);
    return !(d.mode || d.xattrs) || report(std::move(d));
  }

  // --- comparing --------------------------------------------------------------------------------

  /// Two entries of the same type, `name` in the open folders `now` and `was`.
  void compare(Delta& d, const std::string& name, int now, int was) const {
    d.mode = (d.after->mode & kModeBits) != (d.before->mode & kModeBits);
    if (d.after->is_link()) {
      const auto one = read_link_below(now, name), two = read_link_below(was, name);
      d.mode = false;  // a link has none that counts
      d.content = !one.ok() || !two.ok() || *one != *two;
    } else if (d.after->is_file()) {
      // Seldom anything else than the size has to be looked at.
      d.content = d.after->size != d.before->size;
      if (d.content && !may_have_user_xattrs(now, name) && !may_have_user_xattrs(was, name)) return;
      const Fd one = open_below(now, name, O_RDONLY), two = open_below(was, name, O_RDONLY);
      d.xattrs = one && two && user_xattrs(one.get()) != user_xattrs(two.get());
      d.content = d.content || other_content(d, one.get(), two.get());
    } else {
      d.content = d.after->rdev != d.before->rdev;
    }
  }
  /// Of two files of one size.
  bool other_content(const Delta& d, int now, int was) const {
    if (!o_.contents || d.after->size > kCompareLimit)
      return d.after->mtime_ns != d.before->mtime_ns;
    return now < 0 || was < 0 || !same_bytes(now, was);
  }

  const LayerStack& stack_;
  const WalkOptions& o_;
  const LayerStack::OnDelta& on_delta_;
  size_t told_ = 0;
  bool more_ = false;
  bool reported_ = false;  // anything since the folder was entered
};

void LayerStack::each(const WalkOptions& o, const OnDelta& on_delta, bool& more) const {
  more = LayerWalk(*this, o, on_delta).run();
}

Result<std::vector<Delta>> LayerStack::walk(const WalkOptions& o, bool& more) const {
  std::vector<Delta> out;
  each(
      o,
      [&out](Delta&& d) {
        out.push_back(std::move(d));
        return true;
      },
      more);
  std::sort(out.begin(), out.end(), [](const Delta& a, const Delta& b) { return a.path < b.path; });
  return out;
}

}  // namespace codexos::daemon
