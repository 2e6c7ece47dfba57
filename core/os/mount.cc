// SPDX-License-Identifier: Apache-2.0
#include "core/os/mount.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace codexos {
namespace {

// Numbers and flags that the headers of older systems lack (include/uapi/linux/mount.h); one number
// space for all architectures from 424 on.
constexpr long kOpenTree = 428, kMoveMount = 429, kFsopen = 430, kFsconfig = 431, kFsmount = 432,
               kMountSetattr = 442, kOpenTreeAttr = 467;
constexpr unsigned kOpenTreeClone = 1;
constexpr unsigned kAtRecursive = 0x8000;
constexpr unsigned kMoveFromEmpty = 0x4, kMoveToEmpty = 0x40;
constexpr uint64_t kAttrRdonly = 1, kAttrNosuid = 2, kAttrNodev = 4, kAttrNoexec = 8,
                   kAttrIdmap = 0x00100000;
constexpr unsigned kSetFlag = 0, kSetString = 1, kSetFd = 5, kCmdCreate = 6;

struct MountAttr {
  uint64_t attr_set, attr_clr, propagation, userns_fd;
};

uint64_t attr_bits(const MountFlags& f) {
  return (f.read_only ? kAttrRdonly : 0) | (f.nosuid ? kAttrNosuid : 0) |
         (f.nodev ? kAttrNodev : 0) | (f.noexec ? kAttrNoexec : 0);
}

MountAttr attr_of(const MountFlags& flags) {
  MountAttr a{attr_bits(flags), 0, 0, 0};
  if (flags.userns_fd >= 0) {
    a.attr_set |= kAttrIdmap;
    a.userns_fd = static_cast<uint64_t>(flags.userns_fd);
  }
  return a;
}

unsigned clone_flags(Recurse recurse) {
  return kOpenTreeClone | O_CLOEXEC | (recurse == Recurse::yes ? kAtRecursive : 0);
}

Status write_map(pid_t pid, const char* file, unsigned inside, unsigned host) {
  const std::string path = "/proc/" + std::to_string(pid) + "/" + file;
  const Fd fd(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  const std::string line = std::to_string(inside) + " " + std::to_string(host) + " 1\n";
  if (!fd || write(fd.get(), line.data(), line.size()) < 0)
    return errno_error("write " + path, errno);
  return {};
}

/// All of the path at once; -1 with errno, also where openat2(2) is missing or forbidden.
Fd open_at_once(int root, const std::string& path, int flags) {
  open_how how{};
  how.flags = static_cast<uint64_t>(O_PATH | O_NOFOLLOW | O_CLOEXEC | flags);
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  const char* name = path.empty() ? "." : path.c_str();
  return Fd(static_cast<int>(syscall(SYS_openat2, root, name, &how, sizeof how)));
}

Result<Fd> clone_at(int dir, const std::string& path, unsigned how, Recurse recurse,
                    const MountFlags& with) {
  // One call from Linux 6.15 on.
  static bool together = true;
  if (together) {
    MountAttr a = attr_of(with);
    const long fd = syscall(kOpenTreeAttr, dir, path.c_str(), how, &a, sizeof a);
    if (fd >= 0) return Fd(static_cast<int>(fd));
    together = errno != ENOSYS && errno != EPERM;
  }
  const long fd = syscall(kOpenTree, dir, path.c_str(), how);
  if (fd < 0) return errno_error("open_tree " + path, errno);
  Fd tree(static_cast<int>(fd));
  CODEXOS_TRY(set_mount(tree.get(), with, recurse));
  return tree;
}

/// The detached mount of a file system context that has all its options.
Result<Fd> mount_of(int fs, const char* type, const MountFlags& flags) {
  if (syscall(kFsconfig, fs, kCmdCreate, nullptr, nullptr, 0) < 0)
    return errno_error(std::string("create ") + type, errno);
  const long m =
      syscall(kFsmount, fs, 1 /* FSMOUNT_CLOEXEC */, static_cast<unsigned>(attr_bits(flags)));
  if (m < 0) return errno_error(std::string("fsmount ") + type, errno);
  return Fd(static_cast<int>(m));
}

}  // namespace

Result<Fd> clone_tree(const std::string& path, Recurse recurse) {
  const long fd = syscall(kOpenTree, AT_FDCWD, path.c_str(), clone_flags(recurse));
  if (fd < 0) return errno_error("open_tree " + path, errno);
  return Fd(static_cast<int>(fd));
}

Result<Fd> clone_tree(const std::string& path, Recurse recurse, const MountFlags& with) {
  return clone_at(AT_FDCWD, path, clone_flags(recurse), recurse, with);
}

Result<Fd> clone_tree_below(int root, const std::string& path, Recurse recurse,
                            const MountFlags& with) {
  return clone_at(root, path, clone_flags(recurse) | AT_SYMLINK_NOFOLLOW, recurse, with);
}

Status set_mount(int fd, const MountFlags& flags, Recurse recurse) {
  MountAttr a = attr_of(flags);
  const unsigned at = AT_EMPTY_PATH | (recurse == Recurse::yes ? kAtRecursive : 0);
  if (syscall(kMountSetattr, fd, "", at, &a, sizeof a) < 0)
    return errno_error("mount_setattr", errno);
  return {};
}

Result<Fd> new_mount(const char* type,
                     const std::vector<std::pair<std::string, std::string>>& options,
                     const MountFlags& flags) {
  const Fd fs(static_cast<int>(syscall(kFsopen, type, 1 /* FSOPEN_CLOEXEC */)));
  if (!fs) return errno_error(std::string("fsopen ") + type, errno);
  for (const auto& [key, value] : options) {
    const bool flag = value.empty();
    if (syscall(kFsconfig, fs.get(), flag ? kSetFlag : kSetString, key.c_str(),
                flag ? nullptr : value.c_str(), 0) < 0)
      return errno_error(std::string(type) + " option " + key + "=" + value, errno);
  }
  return mount_of(fs.get(), type, flags);
}

Result<Fd> new_overlay(const std::vector<int>& lowers, int upper, int work) {
  const Fd fs(static_cast<int>(syscall(kFsopen, "overlay", 1 /* FSOPEN_CLOEXEC */)));
  if (!fs) return errno_error("fsopen overlay", errno);
  const auto set = [&fs](unsigned how, const char* key, int fd) -> Status {
    if (syscall(kFsconfig, fs.get(), how, key, nullptr, fd) < 0)
      return errno_error(std::string("overlay option ") + key, errno);
    return {};
  };
  for (const int lower : lowers) CODEXOS_TRY(set(kSetFd, "lowerdir+", lower));
  CODEXOS_TRY(set(kSetFd, "upperdir", upper));
  CODEXOS_TRY(set(kSetFd, "workdir", work));
  CODEXOS_TRY(set(kSetFlag, "userxattr", 0));
  return mount_of(fs.get(), "overlay", MountFlags{});
}

Status attach_mount(int mount_fd, int at) {
  if (syscall(kMoveMount, mount_fd, "", at, "", kMoveFromEmpty | kMoveToEmpty) < 0)
    return errno_error("move_mount", errno);
  return {};
}

Status attach_mount_below(int mount_fd, int root, const std::string& path) {
  const size_t from = path.find_first_not_of('/');
  const char* place = from == std::string::npos ? "." : path.c_str() + from;
  if (syscall(kMoveMount, mount_fd, "", root, place, kMoveFromEmpty) < 0)
    return errno_error("move_mount", errno);
  return {};
}

Result<Fd> make_dirs_below(  // NOLINT(misc-no-recursion): as deep as the path
    int root, const std::string& path) {
  if (path == ".." || path.rfind("../", 0) == 0 || path.find("/../") != std::string::npos ||
      (path.size() > 2 && path.compare(path.size() - 3, 3, "/..") == 0))
    return Error{Code::invalid, path + ": '..' in a target", {}};
  if (Fd there = open_at_once(root, path, O_DIRECTORY); there) return there;
  size_t end = path.size();
  while (end > 0 && path[end - 1] == '/') --end;
  const size_t slash = end == 0 ? std::string::npos : path.rfind('/', end - 1);
  const size_t name_at = slash == std::string::npos ? 0 : slash + 1;
  const std::string name = path.substr(name_at, end - name_at);
  if (name.empty() || name == ".") {
    Fd dir(openat(root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!dir) return errno_error("open root", errno);
    return dir;
  }
  CODEXOS_ASSIGN(const Fd dir, make_dirs_below(root, path.substr(0, name_at)));
  if (mkdirat(dir.get(), name.c_str(), 0755) < 0 && errno != EEXIST && errno != EROFS &&
      errno != EACCES)
    return errno_error("mkdir " + path, errno);
  Fd made(openat(dir.get(), name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!made) return errno_error("open " + path, errno);
  return made;
}

Result<Fd> open_below(int root, const std::string& path) {
  if (Fd there = open_at_once(root, path, 0); there) return there;
  const size_t slash = path.rfind('/');
  const std::string name = path.substr(slash == std::string::npos ? 0 : slash + 1);
  CODEXOS_ASSIGN(const Fd dir, make_dirs_below(root, path.substr(0, path.size() - name.size())));
  Fd at(openat(dir.get(), name.empty() ? "." : name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!at) return errno_error("open " + path, errno);
  return at;
}

Status enter_root(int new_root) {
  if (fchdir(new_root) < 0) return errno_error("fchdir to the new root", errno);
  if (syscall(SYS_pivot_root, ".", ".") < 0) return errno_error("pivot_root", errno);
  if (umount2(".", MNT_DETACH) < 0) return errno_error("detach the old root", errno);
  if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) < 0)
    return errno_error("make / private", errno);
  if (chdir("/") < 0) return errno_error("chdir /", errno);
  return {};
}

Result<Fd> make_idmap_userns(uid_t owner_uid, gid_t owner_gid, uid_t host_uid, gid_t host_gid) {
  const long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, nullptr, nullptr, nullptr, 0);
  if (pid < 0) return errno_error("clone a user namespace", errno);
  if (pid == 0) {
    for (;;) pause();
  }
  Status done = write_map(static_cast<pid_t>(pid), "uid_map", owner_uid, host_uid);
  if (done) done = write_map(static_cast<pid_t>(pid), "gid_map", owner_gid, host_gid);
  const std::string path = "/proc/" + std::to_string(pid) + "/ns/user";
  Fd ns;
  if (done) {
    ns.reset(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!ns) done = errno_error("open " + path, errno);
  }
  kill(static_cast<pid_t>(pid), SIGKILL);
  while (waitpid(static_cast<pid_t>(pid), nullptr, 0) < 0 && errno == EINTR) {
  }
  CODEXOS_TRY(std::move(done));
  return ns;
}

}  // namespace codexos
