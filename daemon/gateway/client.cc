// SPDX-License-Identifier: Apache-2.0
#include "daemon/gateway/client.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>

#include "daemon/gateway/wires.h"

namespace codexos::daemon {
namespace {

constexpr size_t kReadAtOnce = 64 << 10;

}  // namespace

ClientConnection::ClientConnection(Loop& loop, Fd socket, ClientOwner& owner)
    : loop_(loop), socket_(std::move(socket)), owner_(owner) {
  const int one = 1;
  setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

ClientConnection::~ClientConnection() {
  *exists_ = false;
  if (socket_) loop_.forget(socket_.get());
}

Status ClientConnection::start() {
  interest_ = EPOLLIN | EPOLLRDHUP;
  return loop_.watch(socket_.get(), interest_, "model client",
                     [this](uint32_t events) { on_ready(events); });
}

void ClientConnection::on_ready(uint32_t events) {
  if ((events & EPOLLIN) != 0 && !answering_ && !closing_ && !read()) return;
  // Like other servers, we take who has shut down its side for gone: else a request to a model
  // that hangs would outlive its program.
  if ((events & (EPOLLHUP | EPOLLERR)) != 0 || ((events & EPOLLRDHUP) != 0 && !closing_))
    return gone();
  if ((events & EPOLLOUT) != 0 && !flush()) return;
  if (!gone_) update();
}

/// False: it has gone.
bool ClientConnection::read() {
  char buffer[kReadAtOnce];
  const ssize_t n = recv(socket_.get(), buffer, sizeof buffer, MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return true;
  if (n <= 0) {
    gone();
    return false;
  }
  if (!parser_.feed({buffer, static_cast<size_t>(n)}).ok()) {
    refuse();
    return !gone_;
  }
  if (parser_.take_continue()) send("HTTP/1.1 100 Continue\r\n\r\n");
  next_request();
  return !gone_;
}

void ClientConnection::next_request() {
  if (answering_ || closing_ || gone_) return;
  auto next = parser_.next();
  if (!next.ok()) return refuse();
  if (!*next) return;
  answering_ = true;
  owner_.on_request(*this, **std::move(next));
}

/// No request was understood, so nobody knows which dialect it would have been.
void ClientConnection::refuse() {
  http::Response r;
  const int status = parser_.error_status();
  const ApiProblem problem = status == 400 ? ApiProblem::invalid : ApiProblem::too_large;
  r.body = api_error(Dialect::openai, problem,
                     status == 400 ? "this is no HTTP request" : "the request is too large")
               .body;
  r.status = status;
  r.headers.map["content-type"] = "application/json";
  r.keep_alive = false;
  send(http::write_response(r));
  end_answer(false);
}

void ClientConnection::send(std::string_view bytes) {
  if (gone_ || closing_) return;
  if (out_.empty()) {
    const ssize_t n =
        ::send(socket_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n > 0) bytes.remove_prefix(static_cast<size_t>(n));
    // A broken one is told by the loop.
  }
  out_ += bytes;
  if (is_full()) full_ = true;
  if (!out_.empty()) update();
}

void ClientConnection::end_answer(bool keep_alive) {
  if (gone_) return;
  answering_ = false;
  if (!keep_alive) {
    closing_ = true;
    if (out_.empty()) return gone();
    return update();
  }
  update();
  if (!parser_.has_bytes()) return;
  // The next request is here already; not from within the last one.
  loop_.defer([this, exists = exists_] {
    if (*exists) next_request();
  });
}

void ClientConnection::abort() {
  const linger reset{1, 0};
  setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  gone();
}

/// False: it has gone.
bool ClientConnection::flush() {
  while (sent_ < out_.size()) {
    const ssize_t n = ::send(socket_.get(), out_.data() + sent_, out_.size() - sent_,
                             MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) break;
    if (n < 0) {
      gone();
      return false;
    }
    sent_ += static_cast<size_t>(n);
  }
  if (sent_ == out_.size()) {
    out_.clear();
    sent_ = 0;
  } else if (sent_ > kHigh) {
    out_.erase(0, sent_);
    sent_ = 0;
  }
  if (closing_ && out_.empty()) {
    gone();
    return false;
  }
  if (full_ && out_.size() - sent_ <= kLow) {
    full_ = false;
    owner_.on_drained(*this);
  }
  return !gone_;
}

void ClientConnection::update() {
  if (gone_) return;
  const uint32_t wanted = (closing_ ? 0U : EPOLLRDHUP) | (answering_ || closing_ ? 0U : EPOLLIN) |
                          (out_.empty() ? 0U : EPOLLOUT);
  if (wanted == interest_) return;
  interest_ = wanted;
  (void)loop_.modify(socket_.get(), wanted);
}

void ClientConnection::gone() {
  if (gone_) return;
  gone_ = true;
  loop_.forget(socket_.get());
  socket_.reset();
  owner_.on_gone(*this);
}

}  // namespace codexos::daemon
