// SPDX-License-Identifier: Apache-2.0
#include "daemon/exec/path_guard.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstring>
#include <string_view>

#include "daemon/exec/seam_caller.h"

namespace codexos::exec {
namespace {

constexpr int kFchmodat2 = 452;
constexpr int kNoArgument = -1;

/// Where a call has what: argument numbers.
struct ModeCallRow {
  int nr;
  int dirfd, path, mode, flags;
};
constexpr ModeCallRow kModeCalls[] = {
#ifdef SYS_chmod
    {SYS_chmod, kNoArgument, 0, 1, kNoArgument},
#endif
    {SYS_fchmod, 0, kNoArgument, 1, kNoArgument},
    {SYS_fchmodat, 0, 1, 2, kNoArgument},
    {kFchmodat2, 0, 1, 2, 3},
};

/// Exactly so many bytes of the caller's memory.
bool read_bytes(pid_t tid, uint64_t address, void* to, size_t bytes) {
  char path[32];
  std::snprintf(path, sizeof path, "/proc/%d/mem", tid);
  const Fd fd(open(path, O_RDONLY | O_CLOEXEC));
  return fd &&
         pread64(fd.get(), to, bytes, static_cast<off64_t>(address)) == static_cast<ssize_t>(bytes);
}

std::string own_link(int fd) { return "/proc/self/fd/" + std::to_string(fd); }

std::string where_is(int fd) {
  char path[PATH_MAX];
  const ssize_t n = readlink(own_link(fd).c_str(), path, sizeof path);
  return n > 0 && static_cast<size_t>(n) < sizeof path ? std::string(path, static_cast<size_t>(n))
                                                       : std::string();
}

bool starts_with(std::string_view text, std::string_view start) {
  return text.substr(0, start.size()) == start;
}

}  // namespace

struct PathGuard::Target {
  int dirfd = AT_FDCWD;
  bool by_path = false;
  uint64_t address = 0;  // of the path
  int flags = 0;
};

bool lies_below(const std::string& path, const std::vector<std::string>& folders) {
  for (const auto& folder : folders)
    if (starts_with(path, folder) && (path.size() == folder.size() || path[folder.size()] == '/'))
      return true;
  return false;
}

std::string path_for_guard(pid_t tid, int dirfd, const std::string& path) {
  const std::string process = "/proc/" + std::to_string(tid);
  for (const std::string_view own : {"/proc/self", "/proc/thread-self"})
    if (starts_with(path, own) && (path.size() == own.size() || path[own.size()] == '/'))
      return process + path.substr(own.size());
  if (starts_with(path, "/dev/fd/")) return process + path.substr(std::strlen("/dev"));
  if (!path.empty() && path[0] == '/') return path;
  const std::string start =
      dirfd == AT_FDCWD ? process + "/cwd" : process + "/fd/" + std::to_string(dirfd);
  return path.empty() ? start : start + "/" + path;
}

// 0 and an O_PATH descriptor of an object that the task may change, or an errno.
int PathGuard::open_target(const seccomp_notif& n, const Target& t, Fd& out) const {
  const auto tid = static_cast<pid_t>(n.pid);
  std::string path;
  if (t.by_path) {
    GivenPath given;
    Caller caller(tid, -1);
    char first = 0;
    if (caller.read_path(t.address, given))
      path = given.text();
    else if (!read_bytes(tid, t.address, &first, 1))
      return EFAULT;
    else if (first != '\0')
      return ENAMETOOLONG;
    if (path.empty() && (t.flags & AT_EMPTY_PATH) == 0) return ENOENT;
  }
  const bool follow = path.empty() || (t.flags & AT_SYMLINK_NOFOLLOW) == 0;
  out.reset(open(path_for_guard(tid, t.dirfd, path).c_str(),
                 O_PATH | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW)));
  if (!out) return path.empty() && errno == ENOENT ? EBADF : errno;
  // Until here it may have been another thread that got the number.
  if (ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_ID_VALID, &n.id) != 0) return ENOENT;
  return lies_below(where_is(out.get()), folders_) ? 0 : EPERM;
}

int PathGuard::change_mode(const seccomp_notif& n) {
  const auto& a = n.data.args;
  for (const auto& row : kModeCalls) {
    if (row.nr != n.data.nr) continue;
    Target t;
    if (row.dirfd != kNoArgument) t.dirfd = static_cast<int>(a[row.dirfd]);
    t.by_path = row.path != kNoArgument;
    if (t.by_path) t.address = a[row.path];
    if (row.flags != kNoArgument) t.flags = static_cast<int>(a[row.flags]);
    if ((t.flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) != 0) return EINVAL;
    Fd fd;
    if (const int error = open_target(n, t, fd); error != 0) return error;
    struct stat st {};
    if (fstat(fd.get(), &st) == 0 && S_ISLNK(st.st_mode)) return EOPNOTSUPP;
    constexpr mode_t kModes = 01777;  // the others are refused by the filter
    return chmod(own_link(fd.get()).c_str(), static_cast<mode_t>(a[row.mode]) & kModes) < 0 ? errno
                                                                                            : 0;
  }
  return ENOSYS;
}

// utimensat(2). Without a path it is futimens(3).
int PathGuard::change_times(const seccomp_notif& n) {
  const auto& a = n.data.args;
  Target t;
  t.dirfd = static_cast<int>(a[0]);
  t.by_path = a[1] != 0;
  t.address = a[1];
  t.flags = static_cast<int>(a[3]);
  if ((t.flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) != 0) return EINVAL;
  timespec times[2] = {};
  if (a[2] != 0 && !read_bytes(static_cast<pid_t>(n.pid), a[2], times, sizeof times)) return EFAULT;
  Fd fd;
  if (const int error = open_target(n, t, fd); error != 0) return error;
  return utimensat(fd.get(), "", a[2] != 0 ? times : nullptr, AT_EMPTY_PATH) < 0 ? errno : 0;
}

void PathGuard::handle(const seccomp_notif& n) {
  seccomp_notif_resp r{};
  r.id = n.id;
  r.error = -(n.data.nr == SYS_utimensat ? change_times(n) : change_mode(n));
  // ENOENT: the caller is gone, and with it the question.
  while (ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_SEND, &r) < 0 && errno == EINTR) {
  }
}

void PathGuard::serve() {
  if (!listener_) return;
  pollfd p{listener_.get(), POLLIN, 0};
  if (poll(&p, 1, 0) <= 0) return;
  if ((p.revents & POLLIN) == 0) return listener_.reset();
  seccomp_notif n{};
  if (ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_RECV, &n) == 0) handle(n);
}

}  // namespace codexos::exec
