// SPDX-License-Identifier: Apache-2.0
#include "daemon/workspace/discard.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/base/path.h"
#include "core/os/file.h"
#include "daemon/workspace/apply_prepare.h"
#include "daemon/workspace/copy_files.h"
#include "daemon/workspace/layers.h"

namespace codexos::daemon {
namespace {

constexpr const char* kOpaque = "user.overlay.opaque";

std::string discard_folder_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? std::string() : path.substr(0, slash);
}
std::string discard_entry_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }
bool is_whiteout(const struct stat& st) { return S_ISCHR(st.st_mode) && st.st_rdev == 0; }

/// The own layer of one root, opened for writing.
class LayerEdit {
 public:
  LayerEdit(const Root& root, const std::vector<std::string>& patterns)
      : root_(root), patterns_(patterns) {}

  Result<uint64_t> run() {
    upper_.reset(
        open((root_.layer + "/upper").c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!upper_ && errno == ENOENT) return uint64_t{0};  // it never started
    if (!upper_) return errno_error("open " + root_.layer + "/upper", errno);
    CODEXOS_ASSIGN(const auto all, selected());
    CODEXOS_TRY(uncover(all));
    CODEXOS_ASSIGN(const auto rest, selected());
    CODEXOS_TRY(cover(rest));
    CODEXOS_ASSIGN(const auto left, selected());
    if (!left.empty())
      return Error{Code::internal, path_text(left.front().path) + " could not be taken out", {}};
    return static_cast<uint64_t>(all.size());
  }

 private:
  Result<std::vector<Delta>> selected() {
    CODEXOS_ASSIGN(auto stack, LayerStack::open(root_));
    stack_.emplace(std::move(stack));
    WalkOptions o;
    o.all_folders = true;
    o.expand_deleted_folders = true;
    bool more = false;
    CODEXOS_ASSIGN(auto deltas, stack_->walk(o, more));
    deltas.erase(
        std::remove_if(deltas.begin(), deltas.end(),
                       [&](const Delta& d) { return !is_selected(patterns_, root_.path, d.path); }),
        deltas.end());
    return deltas;
  }

  Fd folder(const std::string& path) const {
    return open_below(upper_.get(), path, O_RDONLY | O_DIRECTORY);
  }

  /// Deepest first: what the own layer has at these paths goes.
  Status uncover(const std::vector<Delta>& deltas) const {
    for (auto d = deltas.rbegin(); d != deltas.rend(); ++d) {
      const Fd dir = folder(discard_folder_of(d->path));
      if (!dir) continue;
      const std::string name = discard_entry_name(d->path);
      struct stat st {};
      if (fstatat(dir.get(), name.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0) continue;
      const bool is_folder = S_ISDIR(st.st_mode);
      // A folder of both sides goes only with its last change; its mode is set by cover().
      if (unlinkat(dir.get(), name.c_str(), is_folder ? AT_REMOVEDIR : 0) != 0 &&
          !(is_folder && (errno == ENOTEMPTY || errno == EEXIST)))
        return errno_error("remove " + d->path + " from the layer", errno);
    }
    return {};
  }

  /// From the top: what still is no plain view of the real entry is made one.
  Status cover(const std::vector<Delta>& deltas) const {
    std::string hidden;
    for (const Delta& d : deltas) {
      if (!hidden.empty() && d.path.starts_with(hidden)) continue;
      if (auto s = cover_one(d); !s.ok())
        return std::move(s).error().during("discard " + path_text(d.path));
      if (!d.before) hidden = d.path + "/";
    }
    return {};
  }

  Status cover_one(const Delta& d) const {
    CODEXOS_ASSIGN(const Fd dir, make_folder(discard_folder_of(d.path)));
    const std::string name = discard_entry_name(d.path);
    struct stat there {};
    const bool exists = fstatat(dir.get(), name.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0;
    const bool folder_both = d.before && d.before->is_dir() && d.after && d.after->is_dir();
    if (exists && !(folder_both && S_ISDIR(there.st_mode)) &&
        unlinkat(dir.get(), name.c_str(), S_ISDIR(there.st_mode) ? AT_REMOVEDIR : 0) != 0)
      return errno_error("remove what is there", errno);
    if (!d.before) return whiteout(dir.get(), name);
    if (d.before->is_dir()) return put_folder(d, dir.get(), name, folder_both);
    if (d.before->is_file()) return put_file(d, dir.get(), name);
    if (d.before->is_link()) return put_link(d, dir.get(), name);
    return Error{Code::invalid, "it is no file, folder or link", {}};
  }

  static Status whiteout(int dir, const std::string& name) {
    struct stat st {};
    if (mknodat(dir, name.c_str(), S_IFCHR, makedev(0, 0)) != 0)
      return errno_error("hide it", errno);
    if (geteuid() == 0 && fstat(dir, &st) == 0 &&
        fchownat(dir, name.c_str(), st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW) != 0)
      return errno_error("chown", errno);
    return {};
  }

  Status put_file(const Delta& d, int dir, const std::string& name) const {
    const Fd from = stack_->open_before(d);
    struct stat st {};
    if (!from || fstat(from.get(), &st) != 0) return errno_error("open it", errno);
    const Fd to(
        openat(dir, name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!to) return errno_error("create it in the layer", errno);
    const auto copied = copy_bytes(from.get(), to.get(), st);
    if (!copied.ok()) return copied.error();
    return copy_facts(from.get(), to.get(), st);
  }
  Status put_link(const Delta& d, int dir, const std::string& name) const {
    CODEXOS_ASSIGN(const std::string target, stack_->link_before(d));
    struct stat st {};
    const Fd from = stack_->open_before(d, O_PATH);
    if (!from || fstat(from.get(), &st) != 0) return errno_error("open it", errno);
    if (symlinkat(target.c_str(), dir, name.c_str()) != 0) return errno_error("link", errno);
    return copy_link_facts(dir, name.c_str(), st);
  }
  Status put_folder(const Delta& d, int dir, const std::string& name, bool merged) const {
    const Fd from = stack_->open_before(d, O_RDONLY | O_DIRECTORY);
    struct stat st {};
    if (!from || fstat(from.get(), &st) != 0) return errno_error("open it", errno);
    return put_folder_like(from.get(), st, dir, name, merged);
  }
  /// `merged`: what lies below in other layers shows through.
  static Status put_folder_like(int from, const struct stat& st, int dir, const std::string& name,
                                bool merged) {
    if (mkdirat(dir, name.c_str(), 0700) != 0 && errno != EEXIST)
      return errno_error("make the folder in the layer", errno);
    const Fd to = open_below(dir, name, O_RDONLY | O_DIRECTORY);
    if (!to) return errno_error("open the folder in the layer", errno);
    if (!merged && fsetxattr(to.get(), kOpaque, "y", 1, 0) != 0)
      return errno_error("mark the folder in the layer", errno);
    return copy_facts(from, to.get(), st);
  }

  /// The folder in the own layer, made where it is missing. Where the task removed it, it comes
  /// back without what was in it.
  Result<Fd> make_folder(const std::string& path) const {
    Fd there = folder(path);
    if (there || path.empty())
      return there ? Result<Fd>(std::move(there)) : errno_error("open", errno);
    CODEXOS_ASSIGN(const Fd above, make_folder(discard_folder_of(path)));
    const std::string name = discard_entry_name(path);
    struct stat st {};
    bool removed = false;
    if (fstatat(above.get(), name.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0) {
      removed = is_whiteout(st);
      if (!removed)
        return Error{Code::conflict, path_text(path) + " is no folder for the task",
                     "discard it with what is in it"};
    }
    const Fd merged = stack_->open_merged(path, O_RDONLY | O_DIRECTORY);
    const Fd real = open_below(stack_->base(), path, O_RDONLY | O_DIRECTORY);
    const Fd& from = merged ? merged : real;
    if (!from || fstat(from.get(), &st) != 0)
      return Error{Code::conflict, path_text(path) + " is no folder for the task",
                   "discard it with what is in it"};
    if (removed && unlinkat(above.get(), name.c_str(), 0) != 0)
      return errno_error("remove what hides " + path_text(path), errno);
    CODEXOS_TRY(put_folder_like(from.get(), st, above.get(), name, !removed && merged));
    Fd made = folder(path);
    if (!made) return errno_error("open " + path_text(path), errno);
    return made;
  }

  const Root& root_;
  const std::vector<std::string>& patterns_;
  Fd upper_;
  std::optional<LayerStack> stack_;
};

}  // namespace

Result<uint64_t> discard_paths(const std::vector<Root>& roots,
                               const std::vector<std::string>& patterns) {
  uint64_t gone = 0;
  for (const Root& root : roots) {
    if (root.layer.empty()) continue;
    CODEXOS_ASSIGN(const uint64_t n, LayerEdit(root, patterns).run());
    gone += n;
  }
  if (gone == 0)
    return Error{Code::not_found, "none of these paths is a change of the task",
                 "codexos diff --name-status"};
  return gone;
}

}  // namespace codexos::daemon
