// SPDX-License-Identifier: Apache-2.0
#include "daemon/workspace/snapshot.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <unordered_map>

#include "core/base/binary.h"
#include "core/base/clock.h"
#include "core/base/path.h"
#include "core/os/file.h"
#include "core/os/replace_file.h"
#include "daemon/trust/digest.h"
#include "daemon/workspace/layers.h"

namespace codexos::daemon {
namespace {

constexpr size_t kMaxManifest = 1 << 30;
constexpr size_t kCopyAtOnce = 16 << 20;

std::string below_snapshot(const std::string& dir, const std::string& name) {
  return dir.empty() ? name : dir + "/" + name;
}

/// All user.* attributes of an open file or folder, our markers among them.
std::map<std::string, std::string> all_user_xattrs(int fd) {
  return xattrs_of(fd, [](std::string_view name) { return name.starts_with("user."); });
}

bool is_same_entry(const SnapshotEntry& a, const SnapshotEntry& b) {
  return a.dev == b.dev && a.ino == b.ino && a.size == b.size && a.mtime_ns == b.mtime_ns &&
         a.ctime_ns == b.ctime_ns && a.mode == b.mode;
}

class Taker {
 public:
  Taker(ObjectStore& objects, SnapshotCost& cost) : objects_(objects), cost_(cost) {}

  Status root(const std::string& upper, const SnapshotRoot* before, SnapshotRoot& out) {
    upper_.reset(open(upper.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!upper_ && errno == ENOENT) return {};  // never started
    if (!upper_) return errno_error("open " + upper, errno);
    before_.clear();
    by_inode_.clear();
    if (before != nullptr)
      for (const auto& e : before->entries) before_.emplace(e.path, &e);
    out_ = &out;
    struct stat st {};
    if (fstat(upper_.get(), &st) < 0) return errno_error("stat " + upper, errno);
    return folder("", st);
  }

 private:
  /// What the task made unreadable is ours to read all the same: its owner may change the mode, and
  /// nobody else looks meanwhile.
  class Readable {
   public:
    Readable(int upper, const std::string& path, const struct stat& st)
        : mode_(st.st_mode & 07777) {
      const mode_t needed = S_ISDIR(st.st_mode) ? 0500 : 0400;
      if (geteuid() == 0 || (mode_ & needed) == needed) return;
      entry_ = open_below(upper, path, O_PATH);
      if (entry_ && chmod(name().c_str(), mode_ | needed) < 0) entry_.reset();
    }
    Readable(const Readable&) = delete;
    Readable& operator=(const Readable&) = delete;
    ~Readable() {
      if (entry_) (void)!chmod(name().c_str(), mode_);
    }

   private:
    std::string name() const { return "/proc/self/fd/" + std::to_string(entry_.get()); }
    mode_t mode_;
    Fd entry_;
  };

  Status folder(const std::string& path, const struct stat& st) {
    const Readable readable(upper_.get(), path, st);  // until all in it is read
    std::set<std::string> names;
    {
      const Fd dir = open_below(upper_.get(), path, O_RDONLY | O_DIRECTORY);
      if (!dir) return errno_error("open a folder of the layer: " + path, errno);
      SnapshotEntry e = entry(path, st);
      e.xattrs = all_user_xattrs(dir.get());
      add(std::move(e));
      names = names_in(dir.get());
    }
    for (const auto& name : names) CODEXOS_TRY(one(below_snapshot(path, name)));
    return {};
  }

  Status one(const std::string& path) {
    const Fd there = open_below(upper_.get(), path, O_PATH);
    struct stat st {};
    if (!there || fstat(there.get(), &st) < 0)
      return errno_error("look at the layer's " + path, errno);
    if (S_ISDIR(st.st_mode)) return folder(path, st);
    SnapshotEntry e = entry(path, st);
    if (S_ISLNK(st.st_mode)) {
      CODEXOS_ASSIGN(e.target, read_link_below(upper_.get(), path));
    }
    if (S_ISREG(st.st_mode)) CODEXOS_TRY(content(e, st));
    add(std::move(e));
    return {};
  }

  static SnapshotEntry entry(const std::string& path, const struct stat& st) {
    const Facts f = facts_of(st);
    SnapshotEntry e;
    e.path = path;
    e.mode = f.mode;
    e.uid = f.uid;
    e.gid = f.gid;
    e.size = f.is_dir() ? 0 : f.size;
    e.rdev = f.rdev;
    e.mtime_ns = f.mtime_ns;
    e.dev = f.dev;
    e.ino = f.ino;
    e.nlink = f.nlink;
    e.ctime_ns = f.ctime_ns;
    return e;
  }

  Status content(SnapshotEntry& e, const struct stat& st) {
    const auto old = before_.find(e.path);
    if (old != before_.end() && is_same_entry(*old->second, e) && !old->second->digest.empty() &&
        objects_.has(old->second->digest)) {
      e.digest = old->second->digest;
      e.xattrs = old->second->xattrs;
      return {};
    }
    const auto linked = by_inode_.find(e.ino);
    if (e.nlink > 1 && linked != by_inode_.end()) {
      e.digest = out_->entries[linked->second].digest;
      e.xattrs = out_->entries[linked->second].xattrs;
      return {};
    }
    const Readable readable(upper_.get(), e.path, st);
    const Fd fd = open_below(upper_.get(), e.path, O_RDONLY);
    if (!fd) return errno_error("open the layer's " + e.path, errno);
    e.xattrs = all_user_xattrs(fd.get());
    CODEXOS_ASSIGN(e.digest, objects_.put(fd.get()));
    ++cost_.stored;
    cost_.stored_bytes += e.size;
    return {};
  }

  void add(SnapshotEntry e) {
    ++cost_.entries;
    if (S_ISREG(e.mode) && e.nlink > 1) by_inode_.emplace(e.ino, out_->entries.size());
    out_->entries.push_back(std::move(e));
  }

  ObjectStore& objects_;
  SnapshotCost& cost_;
  Fd upper_;
  SnapshotRoot* out_ = nullptr;
  std::unordered_map<std::string, const SnapshotEntry*> before_;
  std::unordered_map<uint64_t, size_t> by_inode_;
};

Status copy_bytes(int from, int to) {
  if (ioctl(to, FICLONE, from) == 0) return {};
  struct stat st {};
  if (fstat(from, &st) < 0) return errno_error("stat object", errno);
  // Holes stay holes: objects have them.
  for (off_t at = 0; at < st.st_size;) {
    const off_t data = lseek(from, at, SEEK_DATA);
    if (data < 0 && errno == ENXIO) break;
    const off_t hole = data < 0 ? st.st_size : lseek(from, data, SEEK_HOLE);
    at = std::max<off_t>(data, 0);
    const off_t end = hole < 0 ? st.st_size : hole;
    if (lseek(to, at, SEEK_SET) < 0 || lseek(from, at, SEEK_SET) < 0)
      return errno_error("seek", errno);
    while (at < end) {
      const ssize_t n =
          copy_file_range(from, nullptr, to, nullptr,
                          std::min<size_t>(static_cast<size_t>(end - at), kCopyAtOnce), 0);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return errno_error("copy object", errno);
      if (n == 0) return Error{Code::internal, "an object is cut off", {}};
      at += n;
    }
  }
  if (ftruncate(to, st.st_size) < 0) return errno_error("truncate", errno);
  return {};
}

class Restorer {
 public:
  Restorer(const ObjectStore& objects, Fd upper) : objects_(objects), upper_(std::move(upper)) {}

  Status run(const SnapshotRoot& root) {
    for (const auto& e : root.entries) CODEXOS_TRY(make(e));
    // A folder's own mode and times last: it may forbid writing, and what is made in it changes it.
    for (auto it = root.entries.rbegin(); it != root.entries.rend(); ++it)
      if (S_ISDIR(it->mode)) CODEXOS_TRY(dress_folder(*it));
    return {};
  }

 private:
  Status make(const SnapshotEntry& e) {
    if (e.path.empty()) return {};  // the folder itself is there
    const size_t slash = e.path.rfind('/');
    const std::string dir = slash == std::string::npos ? "" : e.path.substr(0, slash);
    const std::string name = slash == std::string::npos ? e.path : e.path.substr(slash + 1);
    if (dir != dir_path_ || !dir_) {
      dir_ = open_below(upper_.get(), dir, O_RDONLY | O_DIRECTORY);
      if (!dir_) return errno_error("open " + dir, errno);
      dir_path_ = dir;
    }
    auto made = make_in(dir_.get(), name, e);
    if (!made.ok()) return std::move(made).error().during("restore " + e.path);
    return {};
  }

  Status make_in(int dir, const std::string& name, const SnapshotEntry& e) {
    const auto linked = by_inode_.find(e.ino);
    if (S_ISREG(e.mode) && e.nlink > 1 && linked != by_inode_.end()) {
      if (linkat(upper_.get(), linked->second.c_str(), dir, name.c_str(), 0) < 0)
        return errno_error("link", errno);
      return {};
    }
    if (S_ISDIR(e.mode)) {
      if (mkdirat(dir, name.c_str(), 0700) < 0) return errno_error("mkdir", errno);
      return {};
    }
    if (S_ISREG(e.mode)) return make_file(dir, name, e);
    if (S_ISLNK(e.mode)) {
      if (symlinkat(e.target.c_str(), dir, name.c_str()) < 0) return errno_error("symlink", errno);
    } else if (mknodat(dir, name.c_str(), e.mode & (S_IFMT | 0777), e.rdev) < 0) {
      return errno_error("mknod", errno);
    }
    if (geteuid() == 0 && fchownat(dir, name.c_str(), e.uid, e.gid, AT_SYMLINK_NOFOLLOW) < 0)
      return errno_error("chown", errno);
    return set_time(dir, name.c_str(), e);
  }

  Status make_file(int dir, const std::string& name, const SnapshotEntry& e) {
    CODEXOS_ASSIGN(const Fd from, objects_.open_object(e.digest));
    struct stat st {};
    if (fstat(from.get(), &st) < 0 || static_cast<uint64_t>(st.st_size) != e.size)
      return Error{Code::internal, "object " + e.digest + " is cut off", {}};
    const Fd to(
        openat(dir, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!to) return errno_error("make", errno);
    CODEXOS_TRY(copy_bytes(from.get(), to.get()));
    CODEXOS_TRY(dress(to.get(), e));
    if (e.nlink > 1) by_inode_.emplace(e.ino, e.path);
    return {};
  }

  /// Attributes, owner, mode, times: in this order, since each may change or forbid what follows.
  static Status dress(int fd, const SnapshotEntry& e) {
    for (const auto& [name, value] : e.xattrs)
      if (fsetxattr(fd, name.c_str(), value.data(), value.size(), 0) < 0)
        return errno_error("set attribute " + name, errno);
    if (geteuid() == 0 && fchown(fd, e.uid, e.gid) < 0) return errno_error("chown", errno);
    if (fchmod(fd, e.mode & 07777) < 0) return errno_error("chmod", errno);
    const timespec times[2] = {{0, UTIME_OMIT}, {e.mtime_ns / kNsPerS, e.mtime_ns % kNsPerS}};
    if (futimens(fd, times) < 0) return errno_error("set times", errno);
    return {};
  }

  static Status set_time(int dir, const char* name, const SnapshotEntry& e) {
    const timespec times[2] = {{0, UTIME_OMIT}, {e.mtime_ns / kNsPerS, e.mtime_ns % kNsPerS}};
    if (utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW) < 0)
      return errno_error("set times", errno);
    return {};
  }

  Status dress_folder(const SnapshotEntry& e) {
    const Fd fd = open_below(upper_.get(), e.path, O_RDONLY | O_DIRECTORY);
    if (!fd) return errno_error("open " + e.path, errno);
    return dress(fd.get(), e);
  }

  const ObjectStore& objects_;
  Fd upper_, dir_;
  std::string dir_path_;
  std::unordered_map<uint64_t, std::string> by_inode_;
};

}  // namespace

Result<Snapshot> take_snapshot(const std::vector<Root>& roots, const Snapshot* before,
                               ObjectStore& objects, SnapshotCost& cost) {
  Snapshot s;
  s.created_us = now_us();
  Taker taker(objects, cost);
  for (size_t n = 0; n < roots.size(); ++n) {
    SnapshotRoot& out = s.roots.emplace_back();
    if (roots[n].layer.empty()) continue;
    const SnapshotRoot* old =
        before != nullptr && n < before->roots.size() ? &before->roots[n] : nullptr;
    CODEXOS_TRY(taker.root(roots[n].layer + "/upper", old, out));
  }
  return s;
}

Status restore_snapshot(const SnapshotRoot& root, const ObjectStore& objects,
                        const std::string& layer) {
  const std::string upper = layer + "/upper";
  const std::string work = layer + "/work";
  if (mkdir(layer.c_str(), 0700) < 0) return errno_error("mkdir " + layer, errno);
  const auto make = [&]() -> Status {
    for (const auto& dir : {upper, work})
      if (mkdir(dir.c_str(), 0700) < 0) return errno_error("mkdir " + dir, errno);
    if (geteuid() == 0 && !root.entries.empty())
      for (const auto& dir : {layer, work})
        if (lchown(dir.c_str(), root.entries[0].uid, root.entries[0].gid) < 0)
          return errno_error("chown " + dir, errno);
    CODEXOS_ASSIGN(Fd fd, open_file(upper, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    return Restorer(objects, std::move(fd)).run(root);
  };
  auto made = make();
  if (!made.ok()) (void)remove_tree(layer);
  return made;
}

Status write_snapshot(const std::string& file, const Snapshot& s) {
  return replace_file(file, to_binary(s), 0600);
}

Result<Snapshot> read_snapshot(const std::string& file) {
  CODEXOS_ASSIGN(const std::string bytes, read_file(file, kMaxManifest));
  auto s = from_binary<Snapshot>(bytes);
  if (!s.ok()) return std::move(s).error().during("read " + file);
  return s;
}

}  // namespace codexos::daemon
