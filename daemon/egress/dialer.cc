// SPDX-License-Identifier: Apache-2.0
#include "daemon/egress/dialer.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace codexos::daemon {
namespace {

constexpr int64_t kNextMs = 300;
constexpr int64_t kDeadlineMs = 30'000;
constexpr size_t kMaxReply = 16 << 10;

Result<Fd> begin_connect(const IpAddress& a, uint16_t port) {
  sockaddr_storage to{};
  socklen_t size = 0;
  if (a.v6) {
    sockaddr_in6 s{};
    s.sin6_family = AF_INET6;
    s.sin6_port = htons(port);
    std::memcpy(&s.sin6_addr, a.bytes.data(), 16);
    std::memcpy(&to, &s, size = sizeof s);
  } else {
    sockaddr_in s{};
    s.sin_family = AF_INET;
    s.sin_port = htons(port);
    std::memcpy(&s.sin_addr, a.bytes.data(), 4);
    std::memcpy(&to, &s, size = sizeof s);
  }
  Fd fd(socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return errno_error("socket", errno);
  const int one = 1;
  setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (connect(fd.get(), reinterpret_cast<sockaddr*>(&to), size) < 0 && errno != EINPROGRESS)
    return errno_error("connect to " + to_text(a), errno);
  return fd;
}

}  // namespace

Dialer::Dialer(const DialParts& parts, DialTarget target, Done done)
    : p_(parts), target_(std::move(target)), done_(std::move(done)), port_(target_.port) {}

Dialer::~Dialer() {
  *exists_ = false;
  for (const Loop::TimerId id : {next_, deadline_})
    if (id != 0) p_.loop.cancel(id);
  for (const auto& a : attempts_) p_.loop.forget(a.socket.get());
  if (proxy_.socket) p_.loop.forget(proxy_.socket.get());
}

void Dialer::start() {
  deadline_ = p_.loop.after_ms(kDeadlineMs, "dial", [this] {
    deadline_ = 0;
    finish(Error{Code::timeout, "nobody answered within 30 seconds", {}});
  });
  const std::string host = target_.address ? to_text(*target_.address) : target_.name;
  by_proxy_ = !target_.own_host && p_.proxy && uses_proxy(*p_.proxy, host);
  if (by_proxy_) {
    port_ = p_.proxy->port;
    const auto address = parse_ip(p_.proxy->host);
    if (!address) return resolve(p_.proxy->host);
    waiting_ = {*address};
  } else if (!target_.address) {
    return resolve(target_.name);
  } else {
    waiting_ = {*target_.address};
  }
  // In a later turn, since nothing is told from within start().
  next_ = p_.loop.after_ms(0, "dial", [this] {
    next_ = 0;
    try_next();
  });
}

void Dialer::resolve(const std::string& name) {
  p_.resolver.resolve(name, [this, exists = exists_](const Result<Resolver::Addresses>& found) {
    if (*exists) on_addresses(found);
  });
}

void Dialer::on_addresses(const Result<Resolver::Addresses>& found) {
  if (!done_) return;
  if (!found.ok()) return finish(Error(found.error()));
  std::string refused;
  for (const IpAddress& a : *found) {
    // The proxy is the user's own, wherever it is.
    if (by_proxy_ || admits_resolved(target_.rule, a))
      waiting_.push_back(a);
    else if (refused.empty())
      refused = to_text(a) + " (" + kind_of(a).why + ")";
  }
  if (waiting_.empty())
    return finish(refused.empty() ? Error{Code::unavailable, target_.name + " has no address", {}}
                                  : Error{Code::denied, target_.name + " leads to " + refused,
                                          allow_option(target_.name, target_.port) + ",private"});
  std::reverse(waiting_.begin(), waiting_.end());
  try_next();
}

void Dialer::try_next() {
  while (!waiting_.empty()) {
    const IpAddress a = waiting_.back();
    waiting_.pop_back();
    auto fd = begin_connect(a, port_);
    if (!fd.ok()) {
      last_error_ = fd.error().message;
      continue;
    }
    const int number = fd->get();
    attempts_.push_back({*std::move(fd), to_text(a)});
    if (!p_.loop.watch(number, EPOLLOUT, "dial", [this, number](uint32_t) { on_ready(number); })
             .ok()) {
      attempts_.pop_back();
      continue;
    }
    if (!waiting_.empty())
      next_ = p_.loop.after_ms(kNextMs, "dial the next", [this] {
        next_ = 0;
        try_next();
      });
    return;
  }
  if (attempts_.empty())
    finish(Error{
        Code::unavailable, last_error_.empty() ? "no address could be dialled" : last_error_, {}});
}

void Dialer::drop(int fd) {
  p_.loop.forget(fd);
  attempts_.erase(std::remove_if(attempts_.begin(), attempts_.end(),
                                 [fd](const Attempt& a) { return a.socket.get() == fd; }),
                  attempts_.end());
}

void Dialer::on_ready(int fd) {
  const auto it = std::find_if(attempts_.begin(), attempts_.end(),
                               [fd](const Attempt& a) { return a.socket.get() == fd; });
  if (it == attempts_.end()) return;
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) {
    last_error_ = "connect to " + it->address + ": " + std::strerror(error);
    drop(fd);
    if (next_ != 0) p_.loop.cancel(std::exchange(next_, 0));
    return try_next();
  }
  Attempt won = std::move(*it);
  p_.loop.forget(fd);
  attempts_.erase(it);
  while (!attempts_.empty()) drop(attempts_.front().socket.get());
  if (next_ != 0) p_.loop.cancel(std::exchange(next_, 0));
  on_connected(std::move(won));
}

void Dialer::on_connected(Attempt a) {
  if (!by_proxy_) return finish(Reached{std::move(a.socket), std::move(a.address)});
  proxy_ = std::move(a);
  const std::string host = target_.address ? to_text(*target_.address) : target_.name;
  const std::string request = connect_request(*p_.proxy, host, target_.port);
  // A fresh connection takes that much at once.
  if (send(proxy_.socket.get(), request.data(), request.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(request.size()))
    return finish(errno_error("ask the proxy", errno));
  if (auto s = p_.loop.watch(proxy_.socket.get(), EPOLLIN, "proxy",
                             [this](uint32_t) { speak_to_proxy(); });
      !s.ok())
    finish(std::move(s).error());
}

/// Byte by byte as far as the head goes: what follows it belongs to the connection.
void Dialer::speak_to_proxy() {
  char c = 0;
  for (;;) {
    const ssize_t n = recv(proxy_.socket.get(), &c, 1, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0 || proxy_reply_.size() >= kMaxReply)
      return finish(
          Error{Code::unavailable, "the proxy " + p_.proxy->host + " gave no answer", {}});
    proxy_reply_ += c;
    if (proxy_reply_.size() >= 4 &&
        proxy_reply_.compare(proxy_reply_.size() - 4, 4, "\r\n\r\n") == 0)
      break;
  }
  const std::string line = proxy_reply_.substr(0, proxy_reply_.find('\r'));
  p_.loop.forget(proxy_.socket.get());
  if (line.size() < 12 || line.compare(0, 7, "HTTP/1.") != 0 || line[9] != '2')
    return finish(Error{
        Code::unavailable, "the proxy " + p_.proxy->host + " says: " + line.substr(0, 200), {}});
  finish(Reached{std::move(proxy_.socket), "proxy " + p_.proxy->host});
}

void Dialer::finish(Result<Reached> result) {
  if (!done_) return;  // an answer that came too late
  if (proxy_.socket) p_.loop.forget(proxy_.socket.get());
  while (!attempts_.empty()) drop(attempts_.front().socket.get());
  waiting_.clear();
  for (Loop::TimerId* id : {&next_, &deadline_})
    if (*id != 0) p_.loop.cancel(std::exchange(*id, 0));
  const Done done = std::exchange(done_, nullptr);
  done(std::move(result));  // may destroy this
}

}  // namespace codexos::daemon
