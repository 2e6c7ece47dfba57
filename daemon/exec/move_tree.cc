// SPDX-License-Identifier: Apache-2.0
#include "daemon/exec/move_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <map>
#include <string>
#include <string_view>

#include "core/base/fd.h"
#include "core/base/plan.h"

namespace codexos::exec {
namespace {

constexpr int kAskEvery = 64;  // entries between two questions whether it is still wanted
constexpr int kRounds = 16;    // how often a folder is emptied that others fill meanwhile
constexpr mode_t kPermissions = 01777;

Fd open_dir(int at, const char* name) {
  return Fd(openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

bool is_dots(const char* name) {
  return std::strcmp(name, ".") == 0 || std::strcmp(name, "..") == 0;
}

// f(name, stat) for each entry; the first errno that it returns, or that reading gives.
template <class F>
int each_entry(int dir, F&& f) {
  DIR* const d = fdopendir(fcntl(dir, F_DUPFD_CLOEXEC, 3));
  if (d == nullptr) return errno;
  rewinddir(d);
  int error = 0;
  for (;;) {
    errno = 0;
    const dirent* e = readdir(d);
    if (e == nullptr) {
      error = errno;
      break;
    }
    if (is_dots(e->d_name)) continue;
    struct stat st {};
    if (fstatat(dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
      if (errno == ENOENT) continue;
      error = errno;
      break;
    }
    error = f(e->d_name, st);
    if (error != 0) break;
  }
  closedir(d);
  return error;
}

std::string list_xattrs(int fd) {
  const ssize_t size = flistxattr(fd, nullptr, 0);
  std::string names(size > 0 ? static_cast<size_t>(size) : 0, '\0');
  const ssize_t n = flistxattr(fd, names.data(), names.size());
  names.resize(n > 0 ? static_cast<size_t>(n) : 0);
  return names;
}

template <class F>
void each_name(const std::string& names, F&& f) {
  for (size_t at = 0; at < names.size(); at += std::strlen(names.c_str() + at) + 1)
    f(names.c_str() + at);
}

bool holds(const std::string& names, std::string_view name) {
  bool found = false;
  each_name(names, [&](const char* n) { found = found || name == n; });
  return found;
}

// Access lists are among them; what the new folder inherited from its parent goes.
void copy_xattrs(int from, int to) {
  const std::string wanted = list_xattrs(from);
  each_name(list_xattrs(to), [&](const char* name) {
    if (!holds(wanted, name)) fremovexattr(to, name);
  });
  each_name(wanted, [&](const char* name) {
    const ssize_t size = fgetxattr(from, name, nullptr, 0);
    std::string value(size > 0 ? static_cast<size_t>(size) : 0, '\0');
    const ssize_t n = fgetxattr(from, name, value.data(), value.size());
    if (n >= 0) fsetxattr(to, name, value.data(), static_cast<size_t>(n), 0);
  });
}

uint64_t born(int dir, const char* name) {
  struct statx s {};
  if (statx(dir, name, AT_SYMLINK_NOFOLLOW, STATX_BTIME, &s) < 0 || (s.stx_mask & STATX_BTIME) == 0)
    return 0;
  return static_cast<uint64_t>(s.stx_btime.tv_sec) * 1000000000U + s.stx_btime.tv_nsec;
}

// Removes what copying made; files in it are further names of the old tree's.
void remove_copy(int at, const char* name) {
  {
    const Fd dir = open_dir(at, name);
    if (dir) fchmod(dir.get(), 0700);
    if (dir)
      each_entry(dir.get(), [&](const char* n, const struct stat& st) {
        if (S_ISDIR(st.st_mode))
          remove_copy(dir.get(), n);
        else
          unlinkat(dir.get(), n, 0);
        return 0;
      });
  }
  unlinkat(at, name, AT_REMOVEDIR);
}

class Mover {
 public:
  explicit Mover(const TreeMove& m) : m_(m) {}
  int run();

 private:
  void tell_making(const char* temp) const;
  int check_target() const;
  int copy_dir(int from_at, const char* from_name, int to_at, const char* to_name);
  int copy_entry(int from, int to, const char* name, const struct stat& st);
  int finish_dir(int from, int to, const struct stat& st) const;
  int link_file(int from, int to, const char* name, const struct stat& st);
  int remove_old(int at, const char* name, int copy_at, const char* copy_name);
  int remove_entry(int old, int copy, const char* name, const struct stat& st);
  bool still_wanted() {
    return ++asked_ % kAskEvery != 0 || m_.wanted == nullptr || m_.wanted(m_.context);
  }

  const TreeMove& m_;
  dev_t dev_ = 0;
  Fd copy_;                              // the new tree's top
  std::string path_;                     // of the folder being copied, below the top; ends with '/'
  std::map<ino_t, std::string> groups_;  // first name of files that have several
  unsigned asked_ = 0;
};

// What rename(2) says before it begins; an overlay asks later than it refuses.
int Mover::check_target() const {
  struct stat st {};
  if (fstatat(m_.new_dir, m_.new_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
    return errno == ENOENT ? 0 : errno;
  if (m_.flags & RENAME_NOREPLACE) return EEXIST;
  if (!S_ISDIR(st.st_mode)) return ENOTDIR;
  const Fd dir = open_dir(m_.new_dir, m_.new_name);
  if (!dir) return 0;  // the rename itself will see
  return each_entry(dir.get(), [](const char*, const struct stat&) { return ENOTEMPTY; });
}

// Names of one file stay names of one file. The first one's copy-up parts it from the others.
int Mover::link_file(int from, int to, const char* name, const struct stat& st) {
  if (st.st_nlink > 1) {
    const auto known = groups_.find(st.st_ino);
    if (known != groups_.end()) return link_unwatched(copy_.get(), known->second.c_str(), to, name);
    groups_.emplace(st.st_ino, path_ + name);
  }
  return link_unwatched(from, name, to, name);
}

int Mover::copy_entry(int from, int to, const char* name, const struct stat& st) {
  if (!still_wanted()) return ECANCELED;
  if (st.st_dev != dev_ && S_ISDIR(st.st_mode)) return EXDEV;  // a mount
  if (!S_ISDIR(st.st_mode)) {
    const int error = link_file(from, to, name, st);
    return error == ENOENT ? 0 : error;  // gone meanwhile
  }
  const size_t length = path_.size();
  path_ += std::string(name) + "/";
  const int error = copy_dir(from, name, to, name);
  path_.resize(length);
  return error;
}

int Mover::finish_dir(int from, int to, const struct stat& st) const {
  copy_xattrs(from, to);
  struct stat made {};
  if (fstat(to, &made) < 0) return errno;
  // A set-group-ID bit that was inherited is left alone: giving it is refused in a task.
  if (made.st_mode != st.st_mode && fchmod(to, st.st_mode & kPermissions) < 0) return errno;
  const timespec times[2] = {st.st_atim, st.st_mtim};
  return futimens(to, times) < 0 ? errno : 0;
}

int Mover::copy_dir(int from_at, const char* from_name, int to_at, const char* to_name) {
  const Fd from = open_dir(from_at, from_name);
  if (!from) return errno;
  struct stat st {};
  if (fstat(from.get(), &st) < 0) return errno;
  // A copy would be ours, and what is another's may not be removed later.
  if (st.st_uid != geteuid()) return EXDEV;
  if (mkdirat(to_at, to_name, (st.st_mode & kPermissions) | 0700) < 0) return errno;
  Fd to = open_dir(to_at, to_name);
  if (!to) return errno;
  const int to_fd = to.get();
  if (!copy_) {
    dev_ = st.st_dev;
    copy_ = std::move(to);
  }
  if (const int error = each_entry(from.get(),
                                   [&](const char* name, const struct stat& entry) {
                                     return copy_entry(from.get(), to_fd, name, entry);
                                   });
      error != 0)
    return error;
  return finish_dir(from.get(), to_fd, st);
}

int Mover::remove_entry(int old, int copy, const char* name, const struct stat& st) {
  struct stat other {};
  const bool copied = fstatat(copy, name, &other, AT_SYMLINK_NOFOLLOW) == 0;
  if (copied && S_ISDIR(st.st_mode) && S_ISDIR(other.st_mode))
    return remove_old(old, name, copy, name);
  if (!copied) return rename_unwatched(old, name, copy, name, 0);  // put there meanwhile
  if (S_ISDIR(st.st_mode)) return ENOTEMPTY;
  const bool same = st.st_ino == other.st_ino || groups_.count(st.st_ino) != 0;
  // Replaced on one side: the younger one stays.
  if (!same && born(old, name) > born(copy, name) && !S_ISDIR(other.st_mode))
    return rename_unwatched(old, name, copy, name, 0);
  return unlinkat(old, name, 0) < 0 && errno != ENOENT ? errno : 0;
}

int Mover::remove_old(int at, const char* name, int copy_at, const char* copy_name) {
  const Fd copy = open_dir(copy_at, copy_name);
  const Fd old = open_dir(at, name);
  struct stat st {};
  if (!old || !copy || fstat(old.get(), &st) < 0) return errno;
  if ((st.st_mode & 0700) != 0700) fchmod(old.get(), 0700);
  for (int round = 0; round < kRounds; ++round) {
    const int error = each_entry(old.get(), [&](const char* n, const struct stat& entry) {
      return remove_entry(old.get(), copy.get(), n, entry);
    });
    if (unlinkat(at, name, AT_REMOVEDIR) == 0 || errno == ENOENT) return 0;
    if (error != 0) return error;
  }
  return ENOTEMPTY;
}

// `temp` in the target's folder, null: none.
void Mover::tell_making(const char* temp) const {
  if (m_.making == nullptr) return;
  if (temp == nullptr) return m_.making(m_.context, nullptr);
  char link[32], path[PATH_MAX];
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", m_.new_dir);
  const ssize_t n = readlink(link, path, sizeof path);
  if (n > 0 && static_cast<size_t>(n) < sizeof path)
    m_.making(m_.context, (std::string(path, static_cast<size_t>(n)) + "/" + temp).c_str());
}

int Mover::run() {
  if (const int error = check_target(); error != 0) return error;
  uint64_t number = 0;
  if (getrandom(&number, sizeof number, 0) != sizeof number) return EXDEV;
  char temp[48];
  std::snprintf(temp, sizeof temp, ".codexos-rename-%016llx",
                static_cast<unsigned long long>(number));
  tell_making(temp);
  int error = copy_dir(m_.old_dir, m_.old_name, m_.new_dir, temp);
  if (error == 0 && m_.wanted != nullptr && !m_.wanted(m_.context)) error = ECANCELED;
  if (error == 0) error = rename_unwatched(m_.new_dir, temp, m_.new_dir, m_.new_name, m_.flags);
  if (error != 0) remove_copy(m_.new_dir, temp);
  tell_making(nullptr);
  if (error != 0) {
    for (const int said : {ENOSPC, EDQUOT, EIO, ECANCELED, ENOTEMPTY, EEXIST, ENOTDIR})
      if (error == said) return error;
    return EXDEV;
  }
  // The new name stands. What cannot be removed of the old one is left to be seen.
  remove_old(m_.old_dir, m_.old_name, m_.new_dir, m_.new_name);
  return 0;
}

}  // namespace

int rename_unwatched(int old_dir, const char* old_name, int new_dir, const char* new_name,
                     unsigned flags) {
  return syscall(SYS_renameat2, old_dir, old_name, new_dir, new_name, kUnwatched | flags) < 0
             ? errno
             : 0;
}

int link_unwatched(int old_dir, const char* old_name, int new_dir, const char* new_name) {
  return syscall(SYS_linkat, old_dir, old_name, new_dir, new_name, kUnwatched) < 0 ? errno : 0;
}

void remove_tree_copy(const char* path) { remove_copy(AT_FDCWD, path); }

int move_tree(const TreeMove& m) { return Mover(m).run(); }

}  // namespace codexos::exec
