// SPDX-License-Identifier: Apache-2.0
// What a task changed, read from its overlay layers (Documentation/filesystems/overlayfs.rst): the
// merged state of all layers, this task's on top of those it started from, compared with the real
// folder. A file that was only touched, or written with what it held before, is no change.
//
// The layers were written by the task and are not trusted: no link is followed, every folder is
// opened anew below its layer's root by openat2(2), so that neither depth nor number of layers
// holds descriptors. A folder that cannot be opened (mode 000, path too long) is listed, what is in
// it is not, and `more` says so.
#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <functional>
#include <set>

#include "core/base/fd.h"
#include "core/base/path.h"
#include "daemon/workspace/workspace.h"

namespace codexos::daemon {
namespace {

constexpr off_t kCompareLimit =
    64 << 20;  // above, a file of equal size but other time counts as other

/// `path` below the folder `root`, no link followed; relative, "" is root itself.
Fd open_below(int root, const std::string& path, int flags) {
  open_how how{};
  how.flags = static_cast<uint64_t>(flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  return Fd(static_cast<int>(
      syscall(SYS_openat2, root, path.empty() ? "." : path.c_str(), &how, sizeof how)));
}

enum class Found { nothing, whiteout, folder, other };

Found look(int dir, const std::string& name, struct stat& st) {
  if (dir < 0 || fstatat(dir, name.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0) return Found::nothing;
  if (S_ISCHR(st.st_mode) && st.st_rdev == 0) return Found::whiteout;
  return S_ISDIR(st.st_mode) ? Found::folder : Found::other;
}

std::set<std::string> names_in(int dir) {
  std::set<std::string> names;
  const int copy = dir < 0 ? -1 : fcntl(dir, F_DUPFD_CLOEXEC, 0);
  DIR* const stream = copy < 0 ? nullptr : fdopendir(copy);
  if (stream == nullptr) {
    if (copy >= 0) Fd(copy).reset();
    return names;
  }
  rewinddir(stream);
  while (const dirent* e = readdir(stream))
    if (std::strcmp(e->d_name, ".") != 0 && std::strcmp(e->d_name, "..") != 0)
      names.insert(e->d_name);
  closedir(stream);
  return names;
}

/// The task cannot write this attribute: the kernel escapes its own (user.overlay.overlay.opaque).
bool is_opaque(int dir) {
  char value = 0;
  return fgetxattr(dir, "user.overlay.opaque", &value, 1) == 1 && value == 'y';
}

bool same_bytes(int a, int b) {
  char one[65536], two[65536];
  while (true) {
    const ssize_t n = read(a, one, sizeof one);
    if (n < 0) return false;
    if (n == 0) return read(b, two, 1) == 0;
    for (ssize_t got = 0; got < n;) {
      const ssize_t m = read(b, two + got, static_cast<size_t>(n - got));
      if (m <= 0) return false;
      got += m;
    }
    if (std::memcmp(one, two, static_cast<size_t>(n)) != 0) return false;
  }
}

bool same_file(int a, const struct stat& as, int b, const struct stat& bs,
               const std::string& name) {
  if (as.st_size != bs.st_size) return false;
  const bool same_time =
      as.st_mtim.tv_sec == bs.st_mtim.tv_sec && as.st_mtim.tv_nsec == bs.st_mtim.tv_nsec;
  if (as.st_size > kCompareLimit) return same_time;
  const Fd one = open_below(a, name, O_RDONLY), two = open_below(b, name, O_RDONLY);
  return one && two && same_bytes(one.get(), two.get());
}

bool same_link(int a, int b, const std::string& name) {
  char one[PATH_MAX], two[PATH_MAX];
  const ssize_t n = readlinkat(a, name.c_str(), one, sizeof one);
  const ssize_t m = readlinkat(b, name.c_str(), two, sizeof two);
  return n >= 0 && n == m && std::memcmp(one, two, static_cast<size_t>(n)) == 0;
}

bool same_entry(int a, const struct stat& as, int b, const struct stat& bs,
                const std::string& name) {
  if ((as.st_mode & 07777) != (bs.st_mode & 07777)) return false;
  if (S_ISREG(as.st_mode)) return same_file(a, as, b, bs, name);
  if (S_ISLNK(as.st_mode)) return same_link(a, b, name);
  return as.st_rdev == bs.st_rdev;
}

/// Answers false to stop the walk.
using OnChange = std::function<bool(char status, const std::string& path)>;

class Walk {
 public:
  explicit Walk(const OnChange& on_change) : on_change_(on_change) {}

  /// Error conflict: the real folder is another one now.
  Status root(const Root& r) {
    layers_.clear();
    std::vector<std::string> paths{r.layer + "/upper"};
    paths.insert(paths.end(), r.lowers.begin(), r.lowers.end());
    for (const auto& path : paths) {
      Fd fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
      if (fd)
        layers_.push_back(std::move(fd));
      else if (errno != ENOENT)  // never started, or pruned
        return errno_error("open " + path, errno);
    }
    base_.reset(open(r.path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!base_) return errno_error("open " + r.path, errno);
    struct stat st {};
    if (fstat(base_.get(), &st) != 0) return errno_error("stat " + r.path, errno);
    if (r.ino != 0 && (st.st_dev != r.dev || st.st_ino != r.ino))
      return Error{
          Code::conflict, r.path + " is not the folder any more that the task worked on", {}};
    std::vector<size_t> all(layers_.size());
    for (size_t i = 0; i < all.size(); ++i) all[i] = i;
    (void)folder("", all, true, true);
    return {};
  }

  bool more() const { return more_; }

 private:
  /// What the layers say about one name: the topmost entry, and for a folder which layers it is
  /// merged from, and whether the real one is merged below them.
  struct Merged {
    Found found = Found::nothing;
    size_t layer = 0;
    struct stat st {};
    std::vector<size_t> folders;
    bool real_below = false;
  };

  Merged merge(const std::vector<Fd>& dirs, const std::vector<size_t>& layers, bool real_below,
               const std::string& name) const {
    Merged m;
    m.real_below = real_below;
    for (size_t i = 0; i < dirs.size(); ++i) {
      struct stat st {};
      const Found found = look(dirs[i].get(), name, st);
      if (found == Found::nothing) continue;
      if (m.found == Found::nothing) {
        m.found = found;
        m.layer = i;
        m.st = st;
      }
      // Below a folder, anything but a folder ends the merge as a whiteout does.
      if (found != Found::folder) {
        m.real_below = false;
        return m;
      }
      m.folders.push_back(layers[i]);
      const Fd fd = open_below(dirs[i].get(), name, O_RDONLY | O_DIRECTORY);
      if (fd && is_opaque(fd.get())) {
        m.real_below = false;
        return m;
      }
    }
    return m;
  }

  bool report(char status, const std::string& path) {
    reported_ = true;
    return on_change_(status, path);
  }

  struct Below {  // a folder that is still to be walked
    std::string path;
    Merged merged;
    Found before = Found::nothing;
    struct stat real {};
  };

  /// `path`: a folder in the merged state, made of `layers`; `real_below`: and of the real folder;
  /// `in_base`: the real folder has it as a folder. False: stop.
  bool folder(const std::string& path, const std::vector<size_t>& layers, bool real_below,
              bool in_base) {
    std::vector<Below> below;
    if (!content(path, layers, real_below, in_base, below)) return false;
    for (const auto& b : below)  // no descriptor is held any more
      if (!changed_folder(b.path, b.merged, b.before, b.real)) return false;
    return true;
  }

  bool content(const std::string& path, const std::vector<size_t>& layers, bool real_below,
               bool in_base, std::vector<Below>& below) {
    std::vector<Fd> dirs;
    std::set<std::string> names;
    for (const size_t i : layers) {
      dirs.push_back(open_below(layers_[i].get(), path, O_RDONLY | O_DIRECTORY));
      if (!dirs.back()) more_ = true;
      names.merge(names_in(dirs.back().get()));
    }
    Fd base;
    if (in_base) base = open_below(base_.get(), path, O_RDONLY | O_DIRECTORY);
    if (in_base && !base) more_ = true;
    if (!real_below) names.merge(names_in(base.get()));  // hidden by the layers: gone
    for (const auto& name : names) {
      Below b;
      b.path = path.empty() ? name : path + "/" + name;
      b.merged = merge(dirs, layers, real_below, name);
      b.before = look(base.get(), name, b.real);
      if (b.before == Found::whiteout) b.before = Found::other;  // a device 0:0 of the user's own
      if (b.merged.found == Found::folder)
        below.push_back(std::move(b));
      else if (!entry(b, name, dirs, base.get()))
        return false;
    }
    return true;
  }

  /// Anything but a folder.
  bool entry(const Below& b, const std::string& name, const std::vector<Fd>& dirs, int base) {
    if (b.merged.found == Found::nothing || b.merged.found == Found::whiteout)
      return b.before == Found::nothing || report('D', b.path);
    if (b.before == Found::nothing) return report('A', b.path);
    const struct stat& now = b.merged.st;
    if ((now.st_mode & S_IFMT) != (b.real.st_mode & S_IFMT)) return report('T', b.path);
    return same_entry(dirs[b.merged.layer].get(), now, base, b.real, name) || report('M', b.path);
  }

  /// A folder is listed for itself only when it says something that its content does not.
  bool changed_folder(const std::string& path, const Merged& m, Found before,
                      const struct stat& real) {
    if (before == Found::other && !report('T', path)) return false;
    const bool mode_changed =
        before == Found::folder && (m.st.st_mode & 07777) != (real.st_mode & 07777);
    if (mode_changed && !report('M', path)) return false;
    const bool outer = reported_;
    reported_ = false;
    if (!folder(path, m.folders, m.real_below, before == Found::folder)) return false;
    const bool empty = !reported_;
    reported_ = outer || reported_;
    return before != Found::nothing || !empty || report('A', path);
  }

  const OnChange& on_change_;
  std::vector<Fd> layers_;  // topmost first
  Fd base_;
  bool more_ = false;
  bool reported_ = false;  // anything since the folder was entered
};

/// How long the UTF-8 sequence at `s` is (RFC 3629); 0: it is none.
size_t utf8_length(std::string_view s) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(s[i]); };
  const unsigned char lead = byte(0);
  const size_t n = lead < 0x80                   ? 1
                   : lead >= 0xC2 && lead < 0xE0 ? 2
                   : (lead & 0xF0) == 0xE0       ? 3
                   : lead >= 0xF0 && lead < 0xF5 ? 4
                                                 : 0;
  if (n == 0 || n > s.size()) return 0;
  for (size_t i = 1; i < n; ++i)
    if ((byte(i) & 0xC0) != 0x80) return 0;
  if (n > 2) {
    const unsigned second = byte(1);
    if ((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F) ||
        (lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second > 0x8F))
      return 0;
  }
  return n;
}

std::string printable(std::string_view path) {
  std::string out;
  while (!path.empty()) {
    const size_t n = utf8_length(path);
    if (n == 0) {
      char escaped[8];
      snprintf(escaped, sizeof escaped, "\\x%02X", static_cast<unsigned char>(path[0]));
      out += escaped;
    } else {
      out += path.substr(0, n);
    }
    path.remove_prefix(std::max<size_t>(n, 1));
  }
  return out;
}

}  // namespace

Result<std::vector<wire::Change>> list_changes(const std::vector<Root>& roots, size_t limit,
                                               bool& more) {
  std::vector<wire::Change> out;
  more = false;
  for (const auto& root : roots) {
    if (root.layer.empty()) continue;
    const size_t first = out.size();
    const OnChange add = [&](char status, const std::string& path) {
      if (limit != 0 && out.size() == limit) {
        more = true;
        return false;
      }
      out.push_back({std::string(1, status), path, root.path});
      return true;
    };
    Walk walk(add);
    CODEXOS_TRY(walk.root(root));
    more = more || walk.more();
    std::sort(out.begin() + static_cast<std::ptrdiff_t>(first), out.end(),
              [](const wire::Change& a, const wire::Change& b) { return a.path < b.path; });
  }
  for (auto& change : out) change.path = printable(change.path);
  return out;
}

Result<wire::ChangeCount> count_changes(const std::vector<Root>& roots, size_t limit) {
  wire::ChangeCount count;
  size_t seen = 0;
  for (const auto& root : roots) {
    if (root.layer.empty() || count.more) continue;
    const OnChange add = [&](char status, const std::string&) {
      if (limit != 0 && seen == limit) {
        count.more = true;
        return false;
      }
      ++seen;
      ++(status == 'A' ? count.added : status == 'D' ? count.deleted : count.modified);
      return true;
    };
    Walk walk(add);
    CODEXOS_TRY(walk.root(root));
    count.more = count.more || walk.more();
  }
  return count;
}

}  // namespace codexos::daemon
