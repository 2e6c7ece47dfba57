// SPDX-License-Identifier: Apache-2.0
#include "daemon/sandbox/link.h"

#include <fcntl.h>
#include <poll.h>

#include <cerrno>

#include "core/base/log.h"

namespace codexos::daemon {

Result<std::unique_ptr<Link>> Link::make(Loop& loop, Fd fd) {
  const int flags = fcntl(fd.get(), F_GETFL);
  if (flags < 0 || fcntl(fd.get(), F_SETFL, flags | O_NONBLOCK) < 0)
    return errno_error("link: set non-blocking", errno);
  std::unique_ptr<Link> link(new Link(loop, std::move(fd)));
  Link* self = link.get();
  CODEXOS_TRY(
      loop.watch(link->fd_.get(), EPOLLIN, "link", [self](uint32_t e) { self->on_ready(e); }));
  return link;
}

Link::~Link() {
  *exists_ = false;
  if (fd_) loop_.forget(fd_.get());
}

void Link::handle(OnMessage message, OnClosed closed) {
  message_ = std::move(message);
  closed_ = std::move(closed);
}

bool Link::alive() const {
  if (!fd_ || broken_) return false;
  pollfd p{fd_.get(), 0, 0};
  return poll(&p, 1, 0) == 0 || (p.revents & (POLLHUP | POLLERR)) == 0;
}

void Link::send_raw(LinkType type, std::string body, const std::vector<int>& fds) {
  if (!fd_ || broken_) return;  // the owner is told, or was told, by closed
  if (waiting_.empty() && try_send(type, body, fds)) return;
  Waiting w{type, std::move(body), {}};
  for (const int fd : fds) w.fds.push_back(Fd(fcntl(fd, F_DUPFD_CLOEXEC, 3)));
  waiting_.push_back(std::move(w));
  if (auto s = loop_.modify(fd_.get(), EPOLLIN | EPOLLOUT); !s.ok()) on_broken();
}

bool Link::try_send(LinkType type, const std::string& body, const std::vector<int>& fds) {
  const auto sent = try_send_link(fd_.get(), type, body, fds);
  if (sent.ok()) return true;
  if (sent.error().code == Code::exhausted) return false;
  if (sent.error().code != Code::unavailable)
    log_line(LogLevel::error, "link", sent.error().message);
  on_broken();
  return true;
}

void Link::on_broken() {
  if (broken_) return;
  broken_ = true;
  // What the peer said before it went is still there to be read, then the owner is told; not from
  // within send(), where it does not expect that.
  loop_.defer([this, exists = exists_] {
    if (*exists && fd_) on_ready(EPOLLIN);
  });
}

void Link::flush() {
  while (!waiting_.empty() && !broken_) {
    std::vector<int> fds;
    for (const auto& fd : waiting_.front().fds) fds.push_back(fd.get());
    if (!try_send(waiting_.front().type, waiting_.front().body, fds)) return;
    waiting_.pop_front();
  }
  if (auto s = loop_.modify(fd_.get(), EPOLLIN); !s.ok()) on_broken();
}

void Link::on_ready(uint32_t events) {
  const auto exists = exists_;
  if ((events & EPOLLOUT) != 0) flush();
  while (true) {
    auto got = try_recv_link(fd_.get());
    if (!got.ok()) {
      if (got.error().code != Code::unavailable)
        log_line(LogLevel::warning, "link", got.error().message);
      close_and_tell();
      return;
    }
    if (!*got) break;
    if (const auto fn = message_) fn(**got);  // a copy: the handler may replace or destroy it
    if (!*exists) return;
  }
  if (broken_ || (events & (EPOLLHUP | EPOLLERR)) != 0) close_and_tell();
}

void Link::close_and_tell() {
  if (!fd_) return;
  loop_.forget(fd_.get());
  fd_.reset();
  waiting_.clear();
  if (const auto fn = closed_) fn();
}

}  // namespace codexos::daemon
