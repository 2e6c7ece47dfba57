// SPDX-License-Identifier: Apache-2.0
// Opening layers, and single paths of the merged state. The walk is in layers_walk.cc.
#include "daemon/workspace/layers.h"

#include <dirent.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstring>

#include "core/base/clock.h"
#include "daemon/workspace/copy.h"

namespace codexos::daemon {
namespace {

constexpr size_t kMaxXattrBytes = 65536;  // XATTR_LIST_MAX, XATTR_SIZE_MAX

/// …/tasks/ID/layers/N/upper -> ID; the same for …/tasks/ID/snapshots/NAME/layers/N/upper
std::string task_of(std::string path) {
  const size_t layers = path.rfind("/layers/");
  if (layers == std::string::npos) return {};
  path.resize(layers);
  constexpr std::string_view kSnapshots = "/snapshots";
  const size_t name = path.rfind('/');
  if (name != std::string::npos && name > kSnapshots.size() &&
      path.compare(name - kSnapshots.size(), kSnapshots.size(), kSnapshots) == 0)
    path.resize(name - kSnapshots.size());
  const size_t slash = path.rfind('/');
  constexpr std::string_view kTasks = "/tasks";
  const bool below_tasks = slash != std::string::npos && slash >= kTasks.size() &&
                           path.compare(slash - kTasks.size(), kTasks.size(), kTasks) == 0;
  return below_tasks ? path.substr(slash + 1) : std::string();
}

bool is_opaque_at(int dir, const std::string& name) {
  constexpr long kGetxattrat = 464;  // Linux 6.13; one call instead of three
  char value = 0;
  struct {
    alignas(8) uint64_t value;
    uint32_t size, flags;
  } args{reinterpret_cast<uint64_t>(&value), 1, 0};
  static std::atomic<bool> known = true;
  if (known) {
    const long n = syscall(kGetxattrat, dir, name.c_str(), AT_SYMLINK_NOFOLLOW,
                           "user.overlay.opaque", &args, sizeof args);
    if (n >= 0) return n == 1 && value == 'y';
    known = errno != ENOSYS && errno != EPERM;
    if (known) return false;
  }
  const Fd fd = open_below(dir, name, O_RDONLY | O_DIRECTORY);
  return fd && is_opaque(fd.get());
}

std::string below_layer(const std::string& folder, const std::string& name) {
  return folder.empty() ? name : folder + "/" + name;
}

bool is_users_own(std::string_view xattr) {
  return xattr.starts_with("user.") && !xattr.starts_with("user.overlay.");
}

}  // namespace

Facts facts_of(const struct stat& st) {
  Facts f;
  f.mode = st.st_mode;
  f.size = static_cast<uint64_t>(st.st_size);
  f.dev = st.st_dev;
  f.ino = st.st_ino;
  f.nlink = st.st_nlink;
  f.rdev = st.st_rdev;
  f.uid = st.st_uid;
  f.gid = st.st_gid;
  f.mtime_ns = ns_of(st.st_mtim);
  f.ctime_ns = ns_of(st.st_ctim);
  return f;
}

Fd open_below(int root, const std::string& path, int flags) {
  open_how how{};
  how.flags = static_cast<uint64_t>(flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if ((flags & O_PATH) != 0) how.flags &= ~static_cast<uint64_t>(O_NONBLOCK);  // EINVAL beside it
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  return Fd(static_cast<int>(
      syscall(SYS_openat2, root, path.empty() ? "." : path.c_str(), &how, sizeof how)));
}

Result<std::string> read_link_below(int root, const std::string& path) {
  const Fd link = open_below(root, path, O_PATH);
  char target[PATH_MAX];
  const ssize_t n = link ? readlinkat(link.get(), "", target, sizeof target) : -1;
  if (n < 0) return errno_error("read the link " + path, errno);
  return std::string(target, static_cast<size_t>(n));
}

/// getdents64(2) by hand: readdir(3) would want a descriptor of its own.
std::set<std::string> names_in(int dir) {
  std::set<std::string> names;
  alignas(dirent64) char buffer[32768];
  if (dir < 0 || lseek(dir, 0, SEEK_SET) != 0) return names;
  while (true) {
    const long n = syscall(SYS_getdents64, dir, buffer, sizeof buffer);
    if (n <= 0) return names;
    for (long at = 0; at < n;) {
      const auto* e = reinterpret_cast<const dirent64*>(buffer + at);
      if (std::strcmp(e->d_name, ".") != 0 && std::strcmp(e->d_name, "..") != 0)
        names.insert(e->d_name);
      at += e->d_reclen;
    }
  }
}

std::map<std::string, std::string> xattrs_of(int fd, bool (*wanted)(std::string_view)) {
  std::map<std::string, std::string> out;
  // Left as they are. The kernel makes room for as much as is asked for, and most are small.
  constexpr size_t kSmall = 512;
  char names[kMaxXattrBytes], value[kMaxXattrBytes];
  ssize_t n = fd < 0 ? -1 : flistxattr(fd, names, kSmall);
  if (n < 0 && fd >= 0 && errno == ERANGE) n = flistxattr(fd, names, sizeof names);
  for (ssize_t i = 0; i < n;) {
    const std::string_view name(names + i);
    i += static_cast<ssize_t>(name.size()) + 1;
    if (!wanted(name)) continue;
    ssize_t got = fgetxattr(fd, name.data(), value, kSmall);
    if (got < 0 && errno == ERANGE) got = fgetxattr(fd, name.data(), value, sizeof value);
    if (got >= 0) out.emplace(name, std::string(value, static_cast<size_t>(got)));
  }
  return out;
}

std::map<std::string, std::string> user_xattrs(int fd) { return xattrs_of(fd, is_users_own); }

bool may_have_user_xattrs(int dir, const std::string& name) {
  constexpr long kListxattrat = 465;  // Linux 6.13; one call instead of three
  char names[512];
  const long n = syscall(kListxattrat, dir, name.c_str(), AT_SYMLINK_NOFOLLOW, names, sizeof names);
  if (n < 0) return errno != EOPNOTSUPP;
  for (long i = 0; i < n;) {
    const std::string_view one(names + i);
    i += static_cast<long>(one.size()) + 1;
    if (is_users_own(one)) return true;
  }
  return false;
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

Result<LayerStack> LayerStack::open(const Root& r) {
  LayerStack s;
  s.path_ = r.path;
  std::vector<std::string> paths;
  if (!r.layer.empty()) paths.push_back(r.layer + "/upper");
  paths.insert(paths.end(), r.lowers.begin(), r.lowers.end());
  for (const auto& path : paths) {
    Fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (fd)
      s.layers_.push_back({std::move(fd), task_of(path)});
    else if (errno != ENOENT)  // never started, or pruned
      return errno_error("open " + path, errno);
  }
  s.base_.reset(::open(r.path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!s.base_) return errno_error("open " + r.path, errno);
  struct stat st {};
  if (fstat(s.base_.get(), &st) != 0) return errno_error("stat " + r.path, errno);
  if (r.ino != 0 && (st.st_dev != r.dev || st.st_ino != r.ino))
    return Error{
        Code::conflict, r.path + " is not the folder any more that the task worked on", {}};
  return s;
}

const std::string& LayerStack::layer_task(int layer) const {
  static const std::string none;
  const auto i = static_cast<size_t>(layer);
  return layer < 0 || i >= layers_.size() ? none : layers_[i].task;
}

Fd LayerStack::open_after(const Delta& d, int flags) const {
  if (!d.after || d.layer < 0) {
    errno = ENOENT;
    return {};
  }
  return open_below(layers_.at(static_cast<size_t>(d.layer)).fd.get(), d.path, flags);
}

Fd LayerStack::open_before(const Delta& d, int flags) const {
  return open_below(base_.get(), d.path, flags);
}

Result<std::string> LayerStack::link_after(const Delta& d) const {
  if (!d.after || d.layer < 0) return errno_error("read the link " + d.path, ENOENT);
  return read_link_below(layers_.at(static_cast<size_t>(d.layer)).fd.get(), d.path);
}

Result<std::string> LayerStack::link_before(const Delta& d) const {
  return read_link_below(base_.get(), d.path);
}

LayerStack::Found LayerStack::look(int dir, const std::string& name, Facts& facts) {
  struct stat st {};
  if (dir < 0 || fstatat(dir, name.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0) return Found::nothing;
  facts = facts_of(st);
  if (S_ISCHR(st.st_mode) && st.st_rdev == 0) return Found::whiteout;
  if (S_ISREG(st.st_mode) && st.st_size == 0)
    if (const Fd fd = open_below(dir, name, O_RDONLY); fd && is_marked_gone(fd.get()))
      return Found::whiteout;
  return S_ISDIR(st.st_mode) ? Found::folder : Found::other;
}

/// `dirs`: the folders that `parent` is merged from, opened.
LayerStack::Merged LayerStack::merge(const std::vector<Fd>& dirs, const Merged& parent,
                                     const std::string& name) {
  Merged m;
  m.real_below = parent.real_below;
  m.hider = parent.hider;
  const auto hide = [&m, &parent](size_t i) {
    m.real_below = false;
    m.hider = parent.folders[i];
    return m;
  };
  for (size_t i = 0; i < dirs.size(); ++i) {
    Facts facts;
    const Found found = look(dirs[i].get(), name, facts);
    if (found == Found::nothing) continue;
    if (m.found == Found::nothing) {
      m.found = found;
      m.layer = parent.folders[i];
      m.facts = facts;
    }
    // Below a folder, anything but a folder ends the merge as a whiteout does.
    if (found != Found::folder) return hide(i);
    m.folders.push_back(parent.folders[i]);
    if (is_opaque_at(dirs[i].get(), name)) return hide(i);
  }
  return m;
}

std::vector<Fd> LayerStack::open_folders(const std::string& path, const Merged& m) const {
  std::vector<Fd> dirs;
  for (const int i : m.folders)
    dirs.push_back(
        open_below(layers_[static_cast<size_t>(i)].fd.get(), path, O_RDONLY | O_DIRECTORY));
  return dirs;
}

/// Nobody's entry: merged from all layers and the real folder.
LayerStack::Merged LayerStack::root() const {
  Merged m;
  for (size_t i = 0; i < layers_.size(); ++i) m.folders.push_back(static_cast<int>(i));
  return m;
}

LayerStack::Merged LayerStack::find(const std::string& path) const {
  Merged at = root();
  std::string folder;
  for (size_t from = 0; from < path.size();) {
    const size_t slash = std::min(path.find('/', from), path.size());
    const std::string name = path.substr(from, slash - from);
    at = merge(open_folders(folder, at), at, name);
    from = slash + 1;
    const bool is_folder =
        at.found == Found::folder || (at.found == Found::nothing && at.real_below);
    if (from < path.size() && !is_folder) {
      at = Merged{};
      at.real_below = false;
      return at;
    }
    folder = below_layer(folder, name);
  }
  return at;
}

std::optional<Facts> LayerStack::look_before(const std::string& path) const {
  const Fd fd = open_below(base_.get(), path, O_PATH);
  struct stat st {};
  if (!fd || fstat(fd.get(), &st) != 0) return std::nullopt;
  return facts_of(st);
}

std::optional<Facts> LayerStack::look_after(const std::string& path, int* layer) const {
  const Merged m = find(path);
  if (layer != nullptr) *layer = m.layer;
  if (m.found == Found::folder || m.found == Found::other) return m.facts;
  if (m.found == Found::whiteout || !m.real_below) return std::nullopt;
  return look_before(path);
}

Fd LayerStack::open_merged(const std::string& path, int flags) const {
  const Merged m = find(path);
  if (m.found == Found::folder || m.found == Found::other)
    return open_below(layers_[static_cast<size_t>(std::max(m.layer, 0))].fd.get(), path, flags);
  if (m.found == Found::nothing && m.real_below) return open_below(base_.get(), path, flags);
  errno = ENOENT;
  return {};
}

std::vector<std::string> LayerStack::list_merged(const std::string& path) const {
  const Merged m = find(path);
  const auto dirs = open_folders(path, m);
  std::set<std::string> names;
  for (const auto& dir : dirs) names.merge(names_in(dir.get()));
  if (m.real_below)
    names.merge(names_in(open_below(base_.get(), path, O_RDONLY | O_DIRECTORY).get()));
  std::vector<std::string> out;
  for (const auto& name : names) {
    const Merged entry = merge(dirs, m, name);
    if (entry.found == Found::whiteout || (entry.found == Found::nothing && !entry.real_below))
      continue;
    out.push_back(name);
  }
  return out;
}

}  // namespace codexos::daemon
