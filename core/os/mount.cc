// SPDX-License-Identifier: Apache-2.0
#include "core/os/mount.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace codexos {
namespace {

// Numbers and flags that the headers of older systems lack (include/uapi/linux/mount.h); one number
// space for all architectures from 424 on.
constexpr long kOpenTree = 428, kMoveMount = 429, kFsopen = 430, kFsconfig = 431, kFsmount = 432,
               kMountSetattr = 442;
constexpr unsigned kOpenTreeClone = 1;
constexpr unsigned kAtRecursive = 0x8000;
constexpr unsigned kMoveFromEmpty = 0x4, kMoveToEmpty = 0x40;
constexpr uint64_t kAttrRdonly = 1, kAttrNosuid = 2, kAttrNodev = 4, kAttrNoexec = 8,
                   kAttrIdmap = 0x00100000;
constexpr unsigned kSetFlag = 0, kSetString = 1, kCmdCreate = 6;

struct MountAttr {
  uint64_t attr_set, attr_clr, propagation, userns_fd;
};

uint64_t attr_bits(const MountFlags& f) {
  return (f.read_only ? kAttrRdonly : 0) | (f.nosuid ? kAttrNosuid : 0) |
         (f.nodev ? kAttrNodev : 0) | (f.noexec ? kAttrNoexec : 0);
}

Status write_map(pid_t pid, const char* file, unsigned inside, unsigned host) {
  const std::string path = "/proc/" + std::to_string(pid) + "/" + file;
  const Fd fd(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  const std::string line = std::to_string(inside) + " " + std::to_string(host) + " 1\n";
  if (!fd || write(fd.get(), line.data(), line.size()) < 0)
    return errno_error("write " + path, errno);
  return {};
}

}  // namespace

Result<Fd> clone_tree(const std::string& path, Recurse recurse) {
  const unsigned flags = kOpenTreeClone | O_CLOEXEC | (recurse == Recurse::yes ? kAtRecursive : 0);
  const long fd = syscall(kOpenTree, AT_FDCWD, path.c_str(), flags);
  if (fd < 0) return errno_error("open_tree " + path, errno);
  return Fd(static_cast<int>(fd));
}

Status set_mount(int fd, const MountFlags& flags, Recurse recurse) {
  MountAttr a{attr_bits(flags), 0, 0, 0};
  if (flags.userns_fd >= 0) {
    a.attr_set |= kAttrIdmap;
    a.userns_fd = static_cast<uint64_t>(flags.userns_fd);
  }
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
  if (syscall(kFsconfig, fs.get(), kCmdCreate, nullptr, nullptr, 0) < 0)
    return errno_error(std::string("create ") + type, errno);
  const long m =
      syscall(kFsmount, fs.get(), 1 /* FSMOUNT_CLOEXEC */, static_cast<unsigned>(attr_bits(flags)));
  if (m < 0) return errno_error(std::string("fsmount ") + type, errno);
  return Fd(static_cast<int>(m));
}

Status attach_mount(int mount_fd, int at) {
  if (syscall(kMoveMount, mount_fd, "", at, "", kMoveFromEmpty | kMoveToEmpty) < 0)
    return errno_error("move_mount", errno);
  return {};
}

Result<Fd> make_dirs_below(int root, const std::string& path) {
  Fd dir(openat(root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!dir) return errno_error("open root", errno);
  size_t at = 0;
  while (at < path.size()) {
    const size_t end = std::min(path.find('/', at), path.size());
    const std::string name = path.substr(at, end - at);
    at = end + 1;
    if (name.empty() || name == ".") continue;
    if (name == "..") return Error{Code::invalid, path + ": '..' in a target", {}};
    if (mkdirat(dir.get(), name.c_str(), 0755) < 0 && errno != EEXIST && errno != EROFS &&
        errno != EACCES)
      return errno_error("mkdir " + path, errno);
    Fd next(openat(dir.get(), name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!next) return errno_error("open " + path + " at " + name, errno);
    dir = std::move(next);
  }
  return dir;
}

Result<std::pair<Fd, std::string>> make_parent_below(int root, const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  if (name.empty() || name == "." || name == "..")
    return Error{Code::invalid, path + ": no file name", {}};
  CODEXOS_ASSIGN(Fd dir,
                 make_dirs_below(root, slash == std::string::npos ? "" : path.substr(0, slash)));
  return std::pair<Fd, std::string>(std::move(dir), name);
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
