// SPDX-License-Identifier: Apache-2.0
#include "core/os/socket.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

namespace codexos {
namespace {

// Newer than the libc headers of Debian 12 and Ubuntu 22.04 (include/linux/socket.h,
// include/uapi/asm-generic/socket.h).
constexpr int kScmPidfd = 0x04;
constexpr int kSoPassPidfd = 76;

constexpr size_t kMaxPassedFds = 16;  // a message; more is refused as truncated

int kind_of(SocketType type) { return type == SocketType::stream ? SOCK_STREAM : SOCK_SEQPACKET; }

/// A path as sockaddr_un holds it. A long one goes through the open parent folder, which `parent`
/// keeps open for as long as the address is used.
struct Address {
  sockaddr_un un{};
  Fd parent;
};

Result<Address> address_of(const std::string& path) {
  Address a;
  a.un.sun_family = AF_UNIX;
  std::string text = path;
  if (text.size() >= sizeof a.un.sun_path) {
    const size_t slash = path.rfind('/');
    const std::string dir = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    a.parent.reset(::open(dir.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!a.parent) return errno_error("open " + dir, errno);
    text = "/proc/self/fd/" + std::to_string(a.parent.get()) + "/" + path.substr(slash + 1);
  }
  if (text.size() >= sizeof a.un.sun_path || text.find('\0') != std::string::npos)
    return errno_error("socket " + path, ENAMETOOLONG);
  std::memcpy(a.un.sun_path, text.data(), text.size());
  return a;
}

const sockaddr* generic(const Address& a) { return reinterpret_cast<const sockaddr*>(&a.un); }

/// Removes a socket that an earlier process left; anything else at that path is not ours.
Status remove_leftover(const std::string& path) {
  struct stat st {};
  if (lstat(path.c_str(), &st) != 0) {
    if (errno == ENOENT) return {};
    return errno_error("stat " + path, errno);
  }
  if (!S_ISSOCK(st.st_mode)) return Error{Code::conflict, path + " exists and is not a socket", {}};
  if (unlink(path.c_str()) != 0 && errno != ENOENT) return errno_error("unlink " + path, errno);
  return {};
}

union Control {
  cmsghdr align;
  char bytes[CMSG_SPACE(kMaxPassedFds * sizeof(int)) + CMSG_SPACE(sizeof(ucred)) +
             CMSG_SPACE(sizeof(int))];
};

int int_at(const cmsghdr* c, size_t index) {
  int x = -1;
  std::memcpy(&x, CMSG_DATA(c) + index * sizeof x, sizeof x);
  return x;
}

void take_control(const cmsghdr* c, Received& out) {
  if (c->cmsg_level != SOL_SOCKET) return;
  if (c->cmsg_type == SCM_RIGHTS) {
    const size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < n; ++i) out.fds.push_back(Fd(int_at(c, i)));
  } else if (c->cmsg_type == SCM_CREDENTIALS) {
    ucred cred{};
    std::memcpy(&cred, CMSG_DATA(c), sizeof cred);
    if (!out.sender) out.sender.emplace();
    out.sender->pid = cred.pid;
    out.sender->uid = cred.uid;
    out.sender->gid = cred.gid;
  } else if (c->cmsg_type == kScmPidfd) {
    if (!out.sender) out.sender.emplace();
    if (const int fd = int_at(c, 0); fd >= 0) out.sender->pidfd.reset(fd);
  }
}

}  // namespace

Result<Fd> listen_unix(const std::string& path, SocketType type) {
  Fd fd(::socket(AF_UNIX, kind_of(type) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return errno_error("socket", errno);
  CODEXOS_ASSIGN(const Address a, address_of(path));
  CODEXOS_TRY(remove_leftover(path));
  // The mode of the socket's inode becomes the file's mode at bind: never open to others, not even
  // between two calls.
  if (fchmod(fd.get(), 0600) != 0) return errno_error("fchmod socket", errno);
  if (bind(fd.get(), generic(a), sizeof a.un) != 0) return errno_error("bind " + path, errno);
  if (listen(fd.get(), SOMAXCONN) != 0) return errno_error("listen on " + path, errno);
  return fd;
}

Result<Fd> connect_unix(const std::string& path, SocketType type) {
  Fd fd(::socket(AF_UNIX, kind_of(type) | SOCK_CLOEXEC, 0));
  if (!fd) return errno_error("socket", errno);
  auto a = address_of(path);
  if (!a.ok()) {
    if (a.error().code == Code::not_found) a.error().code = Code::unavailable;
    return std::move(a).error();
  }
  int r = 0;
  do r = connect(fd.get(), generic(*a), sizeof a->un);
  while (r != 0 && errno == EINTR);
  if (r == 0) return fd;
  Error e = errno_error("connect to " + path, errno);
  if (e.code == Code::not_found) e.code = Code::unavailable;
  return e;
}

Result<std::pair<Fd, Fd>> socket_pair(SocketType type) {
  int fds[2] = {-1, -1};
  if (socketpair(AF_UNIX, kind_of(type) | SOCK_CLOEXEC, 0, fds) != 0)
    return errno_error("socketpair", errno);
  return std::pair<Fd, Fd>(Fd(fds[0]), Fd(fds[1]));
}

Result<Received> receive(int fd, char* to, size_t room, bool& again) {
  again = false;
  Received out;
  iovec part{to, room};
  Control control{};
  msghdr m{};
  m.msg_iov = &part;
  m.msg_iovlen = 1;
  m.msg_control = control.bytes;
  m.msg_controllen = sizeof control.bytes;
  ssize_t n = 0;
  do n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);
  while (n < 0 && errno == EINTR);
  if (n < 0) {
    if (errno == ECONNRESET) return out;
    if (errno != EAGAIN) return errno_error("recvmsg", errno);
    again = true;
    return out;
  }
  out.bytes = static_cast<size_t>(n);
  // Taken before the check for truncation, so that what did come is closed.
  for (cmsghdr* c = CMSG_FIRSTHDR(&m); c != nullptr; c = CMSG_NXTHDR(&m, c)) take_control(c, out);
  if ((m.msg_flags & MSG_CTRUNC) != 0)
    return Error{
        Code::invalid, "message with too many descriptors, or they could not be taken", {}};
  if ((m.msg_flags & MSG_TRUNC) != 0)
    return Error{Code::invalid, "message is longer than the room for it", {}};
  return out;
}

Result<size_t> send_bytes(int fd, std::string_view bytes, const std::vector<int>& fds,
                          bool& again) {
  again = false;
  if (fds.size() > kMaxPassedFds)
    return Error{Code::invalid, "too many descriptors for a message", {}};
  iovec part{const_cast<char*>(bytes.data()), bytes.size()};
  Control control{};
  msghdr m{};
  m.msg_iov = &part;
  m.msg_iovlen = 1;
  if (!fds.empty()) {
    m.msg_control = control.bytes;
    m.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
    cmsghdr* c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
    std::memcpy(CMSG_DATA(c), fds.data(), fds.size() * sizeof(int));
  }
  ssize_t n = 0;
  do n = sendmsg(fd, &m, MSG_NOSIGNAL);
  while (n < 0 && errno == EINTR);
  if (n >= 0) return static_cast<size_t>(n);
  if (errno != EAGAIN) return errno_error("sendmsg", errno);
  again = true;
  return size_t{0};
}

bool want_sender_id(int fd) {
  const int on = 1;
  if (setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) != 0) return false;
  return setsockopt(fd, SOL_SOCKET, kSoPassPidfd, &on, sizeof on) == 0;
}

}  // namespace codexos
