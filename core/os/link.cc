// SPDX-License-Identifier: Apache-2.0
#include "core/os/link.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "core/os/file.h"

namespace codexos {
namespace {

constexpr size_t kMaxFds = 253;            // SCM_MAX_FD of include/net/scm.h
constexpr size_t kMaxPayload = 32U << 20;  // far above what argv and env can hold
constexpr unsigned kSeals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW;

union Control {
  cmsghdr align;
  char bytes[CMSG_SPACE(kMaxFds * sizeof(int))];
};

void wait_for(int fd, short events) {
  pollfd p{fd, events, 0};
  while (poll(&p, 1, -1) < 0 && errno == EINTR) {
  }
}

Result<Fd> make_sealed(std::string_view payload) {
  Fd fd(memfd_create("codexos-link", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd) return errno_error("memfd_create", errno);
  CODEXOS_TRY(write_all(fd.get(), payload));
  if (fcntl(fd.get(), F_ADD_SEALS, kSeals) < 0) return errno_error("seal memfd", errno);
  return fd;
}

// Sealed, so that the sender cannot change the bytes while they are decoded, nor cut them.
Result<std::string> read_sealed(int fd) {
  const int seals = fcntl(fd, F_GET_SEALS);
  if (seals < 0 || (static_cast<unsigned>(seals) & kSeals) != kSeals)
    return Error{Code::invalid, "long message without a sealed memfd", {}};
  struct stat st {};
  if (fstat(fd, &st) < 0) return errno_error("stat memfd", errno);
  const auto size = static_cast<size_t>(st.st_size);
  if (size > kMaxPayload) return Error{Code::invalid, "message is too long", {}};
  std::string out(size, '\0');
  for (size_t have = 0; have < size;) {
    const ssize_t n = pread(fd, out.data() + have, size - have, static_cast<off_t>(have));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return errno_error("read memfd", n < 0 ? errno : EIO);
    have += static_cast<size_t>(n);
  }
  return out;
}

void attach_fds(msghdr& m, Control& control, const std::vector<int>& fds) {
  if (fds.empty()) return;
  m.msg_control = control.bytes;
  m.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
  cmsghdr* c = CMSG_FIRSTHDR(&m);
  c->cmsg_level = SOL_SOCKET;
  c->cmsg_type = SCM_RIGHTS;
  c->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
  std::memcpy(CMSG_DATA(c), fds.data(), fds.size() * sizeof(int));
}

Status send_error(int err) {
  if (err == EPIPE || err == ECONNRESET || err == ENOTCONN)
    return Error{Code::unavailable, "the other side of the link is gone", {}};
  if (err == EAGAIN) return Error{Code::exhausted, "the other side of the link does not read", {}};
  return errno_error("send on the link", err);
}

Status send_packet(int fd, uint32_t type, std::string_view payload, const std::vector<int>& fds,
                   int flags) {
  if (fds.size() > kMaxFds) return Error{Code::invalid, "too many descriptors for a message", {}};
  iovec parts[2] = {{&type, sizeof type}, {const_cast<char*>(payload.data()), payload.size()}};
  Control control;
  msghdr m{};
  m.msg_iov = parts;
  m.msg_iovlen = 2;
  attach_fds(m, control, fds);
  for (;;) {
    if (sendmsg(fd, &m, flags | MSG_NOSIGNAL) >= 0) return {};
    if (errno == EINTR) continue;
    if (errno != EAGAIN || (flags & MSG_DONTWAIT) != 0) return send_error(errno);
    wait_for(fd, POLLOUT);
  }
}

Status send_any(int fd, LinkType type, std::string_view payload, const std::vector<int>& fds,
                int flags) {
  const auto number = static_cast<uint32_t>(type);
  if (payload.size() <= kMaxLinkInline) return send_packet(fd, number, payload, fds, flags);
  CODEXOS_ASSIGN(const Fd memory, make_sealed(payload));
  std::vector<int> all{memory.get()};
  all.insert(all.end(), fds.begin(), fds.end());
  return send_packet(fd, number | kLinkInMemfd, {}, all, flags);
}

void take_fds(msghdr& m, std::vector<Fd>& out) {
  for (cmsghdr* c = CMSG_FIRSTHDR(&m); c != nullptr; c = CMSG_NXTHDR(&m, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    const size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < n; ++i) {
      int one = -1;
      std::memcpy(&one, CMSG_DATA(c) + i * sizeof one, sizeof one);
      out.push_back(Fd(one));
    }
  }
}

/// What the next packet needs. EAGAIN when none is there.
ssize_t peek_size(int fd, int flags) {
  char none = 0;
  ssize_t n = 0;
  do n = recv(fd, &none, 1, MSG_PEEK | MSG_TRUNC | flags);
  while (n < 0 && errno == EINTR);
  return n;
}

Result<LinkMessage> decode(uint32_t number, std::string payload, std::vector<Fd> fds) {
  LinkMessage out;
  out.type = static_cast<LinkType>(number & ~kLinkInMemfd);
  out.fds = std::move(fds);
  out.payload = std::move(payload);
  if ((number & kLinkInMemfd) == 0) return out;
  if (out.fds.empty()) return Error{Code::invalid, "long message without its memfd", {}};
  CODEXOS_ASSIGN(out.payload, read_sealed(out.fds.front().get()));
  out.fds.erase(out.fds.begin());
  return out;
}

// The packet of `size` bytes that peek_size() saw; there is one reader, so it is still the next.
Result<LinkMessage> take_packet(int fd, size_t size) {
  uint32_t number = 0;
  if (size < sizeof number || size > sizeof number + kMaxLinkInline) {
    (void)!recv(fd, &number, 1, 0);  // takes the packet out of the queue
    return Error{Code::invalid, "message is too short or too long", {}};
  }
  std::string payload(size - sizeof number, '\0');
  iovec parts[2] = {{&number, sizeof number}, {payload.data(), payload.size()}};
  Control control;
  msghdr m{};
  m.msg_iov = parts;
  m.msg_iovlen = 2;
  m.msg_control = control.bytes;
  m.msg_controllen = sizeof control.bytes;
  ssize_t n = 0;
  do n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);
  while (n < 0 && errno == EINTR);
  if (n < 0) return errno_error("receive from the link", errno);
  std::vector<Fd> fds;
  take_fds(m, fds);
  if ((m.msg_flags & (MSG_CTRUNC | MSG_TRUNC)) != 0)
    return Error{Code::invalid, "message came without all of its bytes or descriptors", {}};
  return decode(number, std::move(payload), std::move(fds));
}

Error closed() { return Error{Code::unavailable, "the other side of the link is gone", {}}; }

}  // namespace

Status send_link(int fd, LinkType type, std::string_view payload, const std::vector<int>& fds) {
  return send_any(fd, type, payload, fds, 0);
}

Status try_send_link(int fd, LinkType type, std::string_view payload, const std::vector<int>& fds) {
  return send_any(fd, type, payload, fds, MSG_DONTWAIT);
}

Result<LinkMessage> recv_link(int fd) {
  for (;;) {
    const ssize_t n = peek_size(fd, 0);
    if (n > 0) return take_packet(fd, static_cast<size_t>(n));
    if (n == 0 || errno == ECONNRESET) return closed();
    if (errno != EAGAIN) return errno_error("receive from the link", errno);
    wait_for(fd, POLLIN);
  }
}

Result<std::optional<LinkMessage>> try_recv_link(int fd) {
  const ssize_t n = peek_size(fd, MSG_DONTWAIT);
  if (n < 0 && errno == EAGAIN) return std::optional<LinkMessage>{};
  if (n == 0 || (n < 0 && errno == ECONNRESET)) return closed();
  if (n < 0) return errno_error("receive from the link", errno);
  auto message = take_packet(fd, static_cast<size_t>(n));
  if (!message.ok()) return std::move(message).error();
  return std::optional<LinkMessage>(*std::move(message));
}

}  // namespace codexos
