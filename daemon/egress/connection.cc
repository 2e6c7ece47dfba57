// SPDX-License-Identifier: Apache-2.0
#include "daemon/egress/connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "core/base/clock.h"
#include "core/base/quote.h"
#include "core/policy/host_name.h"
#include "daemon/egress/client_hello.h"

namespace codexos::daemon {
namespace {

constexpr size_t kMaxPending = 256 << 10;
constexpr uint16_t kHttp = 80, kHttps = 443;
constexpr int64_t kTlsMs = 30'000;    // for a server to agree on TLS
constexpr int64_t kLingerMs = 5'000;  // for a client to end after the last word

void set_low_water(int fd, size_t bytes) {
  const int n = static_cast<int>(bytes);
  setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &n, sizeof n);
}

/// The other side sees a reset, not an end: nobody takes a cut answer for a whole one.
void reset_on_close(const Fd& fd) {
  const linger l{1, 0};
  if (fd) setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &l, sizeof l);
}

}  // namespace

Connection::Connection(const ConnectionParts& parts, Fd client, DialTarget target,
                       Treatment treatment, ConnectionOwner& owner)
    : p_(parts),
      client_(std::move(client)),
      target_(std::move(target)),
      treatment_(std::move(treatment)),
      owner_(owner),
      guard_(target_.name),
      began_us_(monotonic_us()) {
  // Without a name there is nothing to compare with: the rule names the address.
  if (target_.name.empty()) check_ = Check::done;
  if (!treatment_.injections) return;
  watch_ = std::make_unique<Injector>(treatment_.injections,
                                      Injector::Place{target_.name, target_.port, false}, teller());
  guard_.watched_by(watch_.get());
}

Injector::Tell Connection::teller() {
  return [this, set = treatment_.injections](const char* what, uint32_t secret, std::string where) {
    owner_.on_secret(*this, what, set->all()[secret].secret, std::move(where));
  };
}

Connection::~Connection() { close_sockets(false); }

void Connection::start() {
  const int one = 1;
  setsockopt(client_.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  client_interest_ = check_ == Check::undecided ? EPOLLIN | EPOLLRDHUP : 0;
  if (auto s = p_.dial.loop.watch(client_.get(), client_interest_, "relay, task",
                                  [this](uint32_t e) { on_client(e); });
      !s.ok())
    return end(s.error().message);
  if (server_) return on_reached(Reached{std::move(server_), "127.0.0.1"});
  dialer_ = std::make_unique<Dialer>(p_.dial, target_,
                                     [this](Result<Reached> r) { on_reached(std::move(r)); });
  dialer_->start();
}

void Connection::on_reached(Result<Reached> reached) {
  // The dialer is in the middle of telling us: it goes with the connection, or at the next chance.
  if (!reached.ok()) {
    if (reached.error().code == Code::denied) {
      hint_ = reached.error().hint;
      return refuse(reached.error().message, false);
    }
    if (!tls_) return end(reached.error().message);
    tls_->fail(reached.error().message);
    return move();
  }
  server_ = std::move(reached->socket);
  address_ = std::move(reached->address);
  if (auto s = p_.dial.loop.watch(server_.get(), EPOLLIN, "relay, server",
                                  [this](uint32_t e) { on_server(e); });
      !s.ok())
    return end(s.error().message);
  server_watched_ = true;
  server_interest_ = EPOLLIN;
  if (tls_) reach_by_tls();
  move();
}

void Connection::on_client(uint32_t events) {
  if ((events & EPOLLRDHUP) != 0) client_hung_up_ = true;
  if (tls_) tls_->on_client_readable();
  failed_ = (events & (EPOLLERR | EPOLLHUP)) != 0;
  move();
}

void Connection::on_server(uint32_t events) {
  if (tls_) tls_->on_server_readable();
  failed_ = (events & (EPOLLERR | EPOLLHUP)) != 0;
  move();
}

/// More must come before it can be told what this is: it does not wake us again until it does.
void Connection::wait_for_more(size_t than) {
  looked_ = than;
  set_low_water(client_.get(), than + 1);
}

/// False: the connection is over.
bool Connection::look() {
  if (check_ != Check::undecided) return true;
  const ssize_t n =
      recv(client_.get(), p_.scratch.data(), p_.scratch.size(), MSG_PEEK | MSG_DONTWAIT);
  if (n < 0) {
    if (errno == EAGAIN || errno == EINTR) return true;
    end("");
    return false;
  }
  if (n == 0) {  // it says nothing
    check_ = Check::done;
    return true;
  }
  const std::string_view bytes(p_.scratch.data(), static_cast<size_t>(n));
  const bool cut_short = client_hung_up_ && bytes.size() <= looked_;
  const bool decided = bytes.front() == kTlsHandshake ? look_at_tls(bytes, cut_short)
                                                      : look_at_text(bytes, cut_short);
  if (over_) return false;
  if (!decided)
    wait_for_more(bytes.size());
  else if (looked_ > 0)
    set_low_water(client_.get(), 1);
  return true;
}

/// True: decided, or refused.
bool Connection::look_at_tls(std::string_view bytes, bool cut_short) {
  const ClientHello hello = read_client_hello(bytes);
  if (hello.state == ClientHello::State::more && !cut_short && bytes.size() < kMaxClientHello)
    return false;
  if (hello.state != ClientHello::State::complete) {
    refuse("a TLS greeting that cannot be read", false);
    return true;
  }
  if (hello.has_name) {
    const auto clean = clean_host_name(hello.name);
    if (!clean.ok() || *clean != target_.name) {
      refuse("TLS asks for " + quote_git(hello.name.substr(0, 253)) + ", not " + target_.name,
             false);
      return true;
    }
  }
  check_ = Check::done;
  if (treatment_.ends_tls()) begin_tls();
  return true;
}

bool Connection::look_at_text(std::string_view bytes, bool cut_short) {
  // Where the server has spoken first it is no HTTP, and the client may send half lines.
  const FirstBytes what = in_ == 0 ? first_bytes(bytes) : FirstBytes::other;
  if (what == FirstBytes::more && !cut_short) return false;
  check_ = what == FirstBytes::http ? Check::http : Check::done;
  // SSH is spoken on 443 where nothing else gets out.
  const bool web = target_.port == kHttp || target_.port == kHttps;
  if (check_ == Check::done && treatment_.terminate) {
    refuse("neither TLS nor HTTP, to a host whose TLS is terminated", false);
    return true;
  }
  if (check_ == Check::done && web && in_ == 0 && bytes.substr(0, 4) != "SSH-")
    refuse("neither TLS nor HTTP on port " + std::to_string(target_.port), false);
  return true;
}

// ---- TLS that ends here ------------------------------------------------------------------------

void Connection::begin_tls() {
  if (in_ != 0) return refuse("the server spoke before TLS, which is to be terminated", false);
  if (treatment_.leaves == nullptr)
    return refuse("its TLS is to be terminated, but the task has no CA for that", false);
  auto context = treatment_.leaves->context_for(target_.name);
  if (!context.ok()) return end(context.error().message);
  auto client = TlsSide::accept(*context, client_.get());
  if (!client.ok()) return end(client.error().message);
  set_low_water(client_.get(), 1);
  tls_ = std::make_unique<TlsRelay>(
      *std::move(client), client_.get(),
      TlsRelay::Parts{target_.name, target_.port, treatment_.injections, teller(),
                      treatment_.metering, [this] { move_soon(); }});
  end_in_ms(kTlsMs);
  if (server_) reach_by_tls();
}

void Connection::reach_by_tls() {
  auto context = p_.servers.context();
  if (!context.ok()) return tls_->fail(context.error().message);
  auto server = TlsSide::connect(*context, server_.get(), target_.name);
  if (!server.ok()) return tls_->fail(server.error().message);
  tls_->connect(*std::move(server), server_.get());
}

/// Unless it has got on until then.
void Connection::end_in_ms(int64_t ms) {
  if (timer_ != 0) p_.dial.loop.cancel(timer_);
  timer_ = p_.dial.loop.after_ms(ms, "terminated TLS", [this] {
    timer_ = 0;
    if (lingers_) return end("");
    if (!tls_->reaching()) return;
    tls_->fail("TLS with " + target_.name + ": no answer within 30 seconds");
    move();
  });
}

void Connection::move_soon() {
  if (again_ != 0 || over_) return;
  again_ = p_.dial.loop.after_ms(0, "terminated TLS", [this] {
    again_ = 0;
    move();
  });
}

void Connection::move_tls() {
  const TlsRelay::Moved m = tls_->move(p_.scratch);
  in_ += m.in;
  out_ += m.out;
  if ((m.in != 0 || m.out != 0) && !owner_.on_bytes(m.in, m.out)) return;
  const TlsRelay::State state = tls_->state();
  if (state != TlsRelay::State::open || (std::exchange(failed_, false) && !m.any)) {
    // down_ never ran: to its owner it ended well when ours did.
    whole_ = state == TlsRelay::State::over;
    denied_ = tls_->refused();
    return end(tls_->why());
  }
  if (tls_->without_server() && server_) {
    p_.dial.loop.forget(server_.get());
    server_watched_ = false;
    server_.reset();
  }
  if (m.more) move_soon();
  if (tls_->lingers() && !std::exchange(lingers_, true)) end_in_ms(kLingerMs);
  update_interest();
}

uint64_t Connection::send_pending() {
  uint64_t moved = 0;
  while (!pending_.empty()) {
    const ssize_t n =
        send(server_.get(), pending_.data(), pending_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0) {
      if (errno != EAGAIN && errno != EINTR) failed_ = true;
      break;
    }
    moved += static_cast<uint64_t>(n);
    pending_.erase(0, static_cast<size_t>(n));
  }
  return moved;
}

uint64_t Connection::move_http() {
  uint64_t moved = send_pending();
  while (!client_ended_ && pending_.size() < kMaxPending) {
    const ssize_t n = recv(client_.get(), p_.scratch.data(), p_.scratch.size(), MSG_DONTWAIT);
    if (n < 0) {
      if (errno != EAGAIN && errno != EINTR) failed_ = true;
      break;
    }
    client_ended_ = n == 0;
    if (auto s = guard_.feed({p_.scratch.data(), static_cast<size_t>(n)}, pending_); !s.ok()) {
      refuse(s.error().message, true);
      return moved;
    }
    moved += send_pending();
    if (guard_.waits_for_answer()) break;
  }
  if (client_ended_ && pending_.empty() && !server_told_) {
    server_told_ = true;
    shutdown(server_.get(), SHUT_WR);
  }
  return moved;
}

/// False: the answer to an upgrade is not known yet.
bool Connection::look_at_answer() {
  if (check_ != Check::http || !guard_.waits_for_answer()) return true;
  if (in_ != 0) {
    refuse("the server answered before it was asked", true);
    return false;
  }
  const ssize_t n =
      recv(server_.get(), p_.scratch.data(), HttpGuard::kAnswerNeeded, MSG_PEEK | MSG_DONTWAIT);
  if (n < 0) return false;
  if (n > 0 && static_cast<size_t>(n) < HttpGuard::kAnswerNeeded) {
    set_low_water(server_.get(), HttpGuard::kAnswerNeeded);
    if (!failed_) return false;
  }
  set_low_water(server_.get(), 1);
  if (auto s = guard_.answered({p_.scratch.data(), static_cast<size_t>(n)}, pending_); !s.ok()) {
    refuse(s.error().message, false);
    return false;
  }
  return true;
}

uint64_t Connection::move_up() {
  if (check_ == Check::undecided) return 0;
  if (check_ == Check::http) return move_http();
  return up_.move(client_.get(), server_.get(), p_.pipes);
}

void Connection::move() {
  if (over_ || !look() || over_) return;
  if (tls_) return move_tls();
  if (!server_) return failed_ ? end("") : update_interest();
  const uint64_t out = move_up();
  if (over_) return;
  out_ += out;
  uint64_t in = 0;
  // To a host whose TLS is terminated nobody speaks before the client has said what it speaks.
  const bool too_early = treatment_.terminate && check_ == Check::undecided;
  if (!too_early && look_at_answer()) in = down_.move(server_.get(), client_.get(), p_.pipes);
  if (over_) return;
  in_ += in;
  if ((in != 0 || out != 0) && !owner_.on_bytes(in, out)) return;
  const bool up_done = check_ == Check::http ? server_told_ : up_.state() == Flow::State::done;
  if (up_done && down_.state() == Flow::State::done) return end("");
  const bool broken = up_.state() == Flow::State::broken || down_.state() == Flow::State::broken;
  if (broken || (std::exchange(failed_, false) && in == 0 && out == 0)) return end("");
  update_interest();
}

void Connection::update_interest() {
  uint32_t client = 0, server = 0;
  const bool http = check_ == Check::http;
  if (check_ == Check::undecided) client |= EPOLLIN | (client_hung_up_ ? 0U : uint32_t{EPOLLRDHUP});
  if (tls_) {
    client = tls_->client_events();
    server = tls_->server_events();
  } else if (server_) {
    const bool read_more =
        http ? !client_ended_ && pending_.size() < kMaxPending && !guard_.waits_for_answer()
             : check_ == Check::done && up_.wants_to_read();
    if (read_more) client |= EPOLLIN;
    if (http ? !pending_.empty() : up_.wants_to_write()) server |= EPOLLOUT;
    const bool too_early = treatment_.terminate && check_ == Check::undecided;
    if (down_.wants_to_read() && !too_early) server |= EPOLLIN;
    if (down_.wants_to_write()) client |= EPOLLOUT;
  }
  if (client != client_interest_)
    (void)p_.dial.loop.modify(client_.get(), client_interest_ = client);
  if (server_ && server != server_interest_)
    (void)p_.dial.loop.modify(server_.get(), server_interest_ = server);
}

/// A client of plain HTTP can be told why.
void Connection::refuse(std::string why, bool tell_http) {
  denied_ = true;
  const bool tell = tell_http && in_ == 0;
  if (tell) {
    const std::string body = "codexos: " + why + "\n";
    const std::string answer =
        "HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nConnection: "
        "close\r\nContent-Length: " +
        std::to_string(body.size()) + "\r\n\r\n" + body;
    (void)!send(client_.get(), answer.data(), answer.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    shutdown(client_.get(), SHUT_WR);
    // What it has sent is read, or the kernel answers with a reset that eats the answer.
    while (recv(client_.get(), p_.scratch.data(), p_.scratch.size(), MSG_DONTWAIT) > 0) {
    }
  }
  why_ = std::move(why);
  over_ = true;
  ended_us_ = monotonic_us();
  if (!tell) reset_on_close(client_);
  reset_on_close(server_);
  close_sockets(false);
  owner_.on_end(*this);
}

void Connection::end(std::string why) {
  if (over_) return;
  const bool whole = tls_ ? whole_ : why.empty() && down_.state() == Flow::State::done;
  why_ = std::move(why);
  over_ = true;
  ended_us_ = monotonic_us();
  close_sockets(!whole);
  owner_.on_end(*this);
}

void Connection::cut(const std::string& why) {
  if (over_) return;
  why_ = why;
  over_ = true;
  ended_us_ = monotonic_us();
  close_sockets(true);
}

void Connection::close_sockets(bool reset) {
  if (reset) {
    reset_on_close(client_);
    reset_on_close(server_);
  }
  for (Loop::TimerId* id : {&timer_, &again_})
    if (*id != 0) p_.dial.loop.cancel(std::exchange(*id, 0));
  if (client_) p_.dial.loop.forget(client_.get());
  if (server_ && server_watched_) p_.dial.loop.forget(server_.get());
  client_.reset();
  server_.reset();
  up_.close(p_.pipes);
  down_.close(p_.pipes);
}

NetReport Connection::report() const {
  NetReport r;
  r.kind = denied_ ? NetReport::Kind::denied : NetReport::Kind::connection;
  r.at_us = now_us();
  r.what = "network";
  r.target = target_.address ? to_text(*target_.address) : target_.name;
  r.port = target_.port;
  r.rule = target_.rule.text;
  r.hint = hint_;
  r.detail = why_;
  r.address = address_;
  r.bytes_in = in_;
  r.bytes_out = out_;
  r.duration_us = ended_us_ - began_us_;
  return r;
}

}  // namespace codexos::daemon
