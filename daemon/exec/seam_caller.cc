// SPDX-License-Identifier: Apache-2.0
#include "daemon/exec/seam_caller.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace codexos::exec {
namespace {

constexpr int kMaxLinks = 40;  // path_resolution(7)
constexpr size_t kFirstRead = 256;

constexpr int kMarkResource = RLIMIT_LOCKS;

bool get_mark(pid_t tid, rlimit64& out) {
  return syscall(SYS_prlimit64, tid, kMarkResource, nullptr, &out) == 0;
}

/// Where a relative path of `tid` starts.
std::string start_link(pid_t tid, int dirfd) {
  const std::string process = "/proc/" + std::to_string(tid);
  return dirfd == AT_FDCWD ? process + "/cwd" : process + "/fd/" + std::to_string(dirfd);
}

bool is_proc(int fd) {
  struct statfs fs {};
  return fstatfs(fd, &fs) < 0 || fs.f_type == PROC_SUPER_MAGIC;
}

}  // namespace

ssize_t read_memory(pid_t tid, uint64_t address, char* to, size_t room) {
  char path[32];
  std::snprintf(path, sizeof path, "/proc/%d/mem", tid);
  const Fd fd(open(path, O_RDONLY | O_CLOEXEC));
  if (!fd) return -errno;
  // Most paths are short, and what lies behind them need not be mapped.
  ssize_t have = 0;
  for (size_t want = kFirstRead; static_cast<size_t>(have) < room; want = room) {
    const size_t n = std::min(want, room) - static_cast<size_t>(have);
    const ssize_t got =
        pread64(fd.get(), to + have, n, static_cast<off64_t>(address) + static_cast<off64_t>(have));
    if (got <= 0) return have > 0 ? have : got < 0 ? -errno : 0;
    have += got;
    if (std::memchr(to, '\0', static_cast<size_t>(have)) != nullptr || static_cast<size_t>(got) < n)
      break;
  }
  return have;
}

const char* GivenPath::from(pid_t tid, int dirfd) {
  if (*text() == '/' || *text() == '\0') return text();
  char front[kFront];
  const int n = dirfd == AT_FDCWD
                    ? std::snprintf(front, sizeof front, "/proc/%d/cwd/", tid)
                    : std::snprintf(front, sizeof front, "/proc/%d/fd/%d/", tid, dirfd);
  char* const begin = text() - n;
  std::memcpy(begin, front, static_cast<size_t>(n));
  return begin;
}

bool Caller::read_path(uint64_t address, GivenPath& out) {
  char* const to = out.text();
  ssize_t n = read_memory(tid_, address, to, GivenPath::kRoom);
  if ((n == -EACCES || n == -EPERM) && reader_ >= 0) {
    const WorkerMessage ask{tid_, -1, address, {}};
    if (send(reader_, &ask, sizeof ask, MSG_NOSIGNAL) != sizeof ask) return false;
    do n = recv(reader_, to, GivenPath::kRoom, 0);
    while (n < 0 && errno == EINTR);
  }
  return n > 0 && std::memchr(to, '\0', static_cast<size_t>(n)) != nullptr && *to != '\0';
}

bool Caller::stat_path(int dirfd, GivenPath& path, struct stat& out) const {
  return fstatat(AT_FDCWD, path.from(tid_, dirfd), &out, AT_SYMLINK_NOFOLLOW) == 0;
}

bool Caller::is_missing(int dirfd, GivenPath& path) const {
  struct stat st {};
  return fstatat(AT_FDCWD, path.from(tid_, dirfd), &st, 0) < 0 &&
         (errno == ENOENT || errno == ENOTDIR || errno == EACCES);
}

std::string Caller::absolute(int dirfd, const GivenPath& path) const {
  if (*path.text() == '/') return path.text();
  char start[PATH_MAX];
  const ssize_t n = readlink(start_link(tid_, dirfd).c_str(), start, sizeof start);
  if (n <= 0 || static_cast<size_t>(n) == sizeof start || start[0] != '/') return {};
  return std::string(start, static_cast<size_t>(n)) + "/" + path.text();
}

Fd Caller::start_of(int dirfd, bool absolute) const {
  const std::string path = absolute ? "/" : start_link(tid_, dirfd);
  return Fd(open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
}

bool Caller::resolve(int dirfd, const GivenPath& path, Place& out) const {
  std::string rest = path.text();
  Fd at = start_of(dirfd, rest[0] == '/');
  if (!at || is_proc(at.get())) return false;
  for (int links = 0;;) {
    const size_t begin = rest.find_first_not_of('/');
    if (begin == std::string::npos) return false;  // "/" itself
    const size_t end = std::min(rest.find('/', begin), rest.size());
    std::string name = rest.substr(begin, end - begin);
    const size_t next = std::min(rest.find_first_not_of('/', end), rest.size());
    if (next == rest.size()) {
      if (name == "." || name == "..") return false;
      out.dir = std::move(at);
      out.name = std::move(name);
      return true;
    }
    rest.erase(0, next);
    if (name == ".") continue;
    Fd fd(openat(at.get(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    struct stat st {};
    if (!fd || fstat(fd.get(), &st) < 0 || is_proc(fd.get())) return false;
    if (S_ISLNK(st.st_mode)) {
      char target[PATH_MAX];
      const ssize_t n = readlinkat(fd.get(), "", target, sizeof target);
      if (n <= 0 || static_cast<size_t>(n) == sizeof target || ++links > kMaxLinks) return false;
      rest.insert(0, std::string(target, static_cast<size_t>(n)) + "/");
      if (target[0] == '/') at = start_of(dirfd, true);
      if (!at) return false;
      continue;
    }
    if (!S_ISDIR(st.st_mode)) return false;
    at = std::move(fd);
  }
}

bool Caller::same_view() const {
  char path[48];
  char theirs[64] = {}, ours[64] = {};
  std::snprintf(path, sizeof path, "/proc/%d/ns/mnt", tid_);
  if (readlink(path, theirs, sizeof theirs - 1) <= 0 ||
      readlink("/proc/self/ns/mnt", ours, sizeof ours - 1) <= 0 || std::strcmp(theirs, ours) != 0)
    return false;
  struct stat a {
  }, b{};
  std::snprintf(path, sizeof path, "/proc/%d/root", tid_);
  return stat(path, &a) == 0 && stat("/", &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

std::string Caller::program() const {
  char text[32];
  std::snprintf(text, sizeof text, "/proc/%d/comm", tid_);
  const Fd fd(open(text, O_RDONLY | O_CLOEXEC));
  const ssize_t n = fd ? read(fd.get(), text, sizeof text) : -1;
  return n > 1 ? std::string(text, static_cast<size_t>(n) - 1) : std::string();
}

bool mark_restricted(pid_t tid) {
  rlimit64 now{};
  if (!get_mark(tid, now)) return false;
  const rlimit64 marked{0, 0};
  return now.rlim_max == 0 || syscall(SYS_prlimit64, tid, kMarkResource, &marked, nullptr) == 0;
}

bool is_restricted(pid_t tid) {
  rlimit64 now{};
  return !get_mark(tid, now) || now.rlim_max == 0;
}

bool serve_worker(int socket, std::vector<RefusedCall>& refused) {
  WorkerMessage ask;
  static char bytes[PATH_MAX];
  iovec parts[2] = {{&ask, sizeof ask}, {bytes, sizeof bytes}};
  msghdr m{};
  m.msg_iov = parts;
  m.msg_iovlen = 2;
  const ssize_t got = recvmsg(socket, &m, MSG_DONTWAIT);
  if (got < static_cast<ssize_t>(sizeof ask)) return false;
  if (ask.tid == 0) {
    RefusedCall r{
        ask.call, ask.address, {}, std::string(bytes, static_cast<size_t>(got) - sizeof ask)};
    std::memcpy(r.program, ask.program, sizeof r.program - 1);
    refused.push_back(std::move(r));
    return true;
  }
  const ssize_t n = read_memory(ask.tid, ask.address, bytes, sizeof bytes);
  // An empty answer would look like the end of the connection.
  if (n <= 0) bytes[0] = '\0';
  (void)!send(socket, bytes, n <= 0 ? 1 : static_cast<size_t>(n), MSG_NOSIGNAL | MSG_DONTWAIT);
  return true;
}

}  // namespace codexos::exec
