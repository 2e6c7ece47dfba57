// SPDX-License-Identifier: Apache-2.0
#include "daemon/egress/tls_relay.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <utility>

#include "core/http/http.h"

namespace codexos::daemon {
namespace {

constexpr size_t kMaxWaiting = 128 << 10;  // in each direction
constexpr size_t kMaxAsked = 256;          // requests without an answer
constexpr uint64_t kOneMove = 1 << 20;

/// What was sent may hold a secret.
void drop_sent(std::string& text, size_t n) {
  if (n == text.size()) {
    wipe(text);
    if (text.capacity() > kMaxWaiting / 8) std::string().swap(text);  // idle connections are cheap
    return;
  }
  text.erase(0, n);
}

/// What a program's TLS failed of, where there is more to say than OpenSSL does.
std::string client_trouble(const std::string& reason) {
  struct Row {
    std::string_view part, means;
  };
  static constexpr Row kRows[] = {
      {"unknown ca", "the program does not trust the task's CA"},
      {"bad certificate", "the program does not trust the task's CA"},
      {"certificate unknown", "the program does not trust the task's CA"},
      {"no application protocol", "the program does not speak HTTP/1.1, as is needed here"},
  };
  for (const Row& r : kRows)
    if (reason.find(r.part) != std::string::npos)
      return std::string(r.means) + " (TLS: " + reason + ")";
  return "TLS with the program: " + reason;
}

}  // namespace

TlsRelay::TlsRelay(TlsSide client, int client_fd, const Parts& parts)
    : client_(std::move(client)),
      client_fd_(client_fd),
      name_(parts.name),
      injections_(parts.injections),
      tell_(parts.tell),
      injector_(injections_, {parts.name, parts.port, true, parts.metering, parts.wake},
                [this](const char* what, uint32_t secret, std::string where) {
                  note(what, secret, std::move(where));
                }),
      guard_(parts.name),
      answers_(injector_.asked(), answer_calls()) {
  guard_.expect_https();
  guard_.watched_by(&injector_);
}

Answers::Calls TlsRelay::answer_calls() {
  return {[this]() -> std::shared_ptr<const Redactor> {
            if (!injections_) return nullptr;
            const auto values = injections_->values();
            return {values, &values->redactor};
          },
          [this](uint32_t secret) { tell_("redacted", secret, "in an answer"); },
          [this](std::string_view first) { return on_upgrade_answer(first); },
          [this](uint32_t exchange, std::string_view body) { return on_tokens(exchange, body); }};
}

Result<std::string> TlsRelay::on_tokens(uint32_t exchange, std::string_view body) {
  auto out = settle_exchange(*injections_, exchange, body);
  if (out.ok()) tell_("refreshed", injections_->exchanges()[exchange].sends, "by " + name_);
  return out;
}

/// A value that was put in is used when the server has got it: it may not be believed, or not
/// there.
void TlsRelay::note(const char* what, uint32_t secret, std::string where) {
  if (std::string_view(what) == "used")
    used_.emplace_back(secret, std::move(where));
  else
    tell_(what, secret, std::move(where));
}

/// Only what the guard has stopped for can be switched.
Status TlsRelay::on_upgrade_answer(std::string_view first) {
  if (guard_.waits_for_answer()) return guard_.answered(first, up_);
  if (first.substr(first.size() - 3) != "101") return {};
  return Error{Code::unavailable, "the server's answer: an upgrade that nobody waits for", {}};
}

void TlsRelay::connect(TlsSide server, int server_fd) {
  if (failed_ || refused_) {
    server_over_ = true;
    return;
  }
  server_.emplace(std::move(server));
  server_fd_ = server_fd;
}

// ---- ends --------------------------------------------------------------------------------------

/// An answer of ours, where one can be understood; else the client sees that it was cut off.
void TlsRelay::answer_instead(const char* status) {
  const std::string body = "codexos: " + why_ + "\n";
  end_well_ = status != nullptr && answers_.idle();
  if (!end_well_) return;
  down_ += "HTTP/1.1 " + std::string(status) +
           "\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: " +
           std::to_string(body.size()) + "\r\n\r\n" + body;
}

/// When the client has asked: before, it would not expect an answer.
void TlsRelay::tell_failure() {
  const bool expected = !injector_.asked().empty() || injector_.waits() || client_ended_ ||
                        answers_.holds() || !answers_.idle();
  if (!failed_ || failure_told_ || !expected) return;
  failure_told_ = true;
  answer_instead("502 Bad Gateway");
}

void TlsRelay::fail(std::string why) {
  if (failed_ || refused_) return;
  failed_ = true;
  why_ = std::move(why);
  server_over_ = true;
  wipe(up_);
  tell_failure();
}

void TlsRelay::refuse(std::string why, const char* status) {
  if (failed_ || refused_) return;
  refused_ = true;
  why_ = std::move(why);
  server_over_ = true;
  wipe(up_);
  answer_instead(status);
}

/// The request that the injector has just looked at.
void TlsRelay::refuse_request() {
  used_.clear();
  const bool upgrade = guard_.waits_for_answer();
  denies_ = !upgrade;  // programs ask for one, and do without
  const char* status = upgrade ? "426 Upgrade Required" : "403 Forbidden";
  // The answer would be taken for that of an earlier request, where one waits.
  refuse(injector_.refused(), injector_.asked().empty() ? status : nullptr);
}

/// True: a request that waited is sent, or answered.
bool TlsRelay::on_leave() {
  // Not before it can be sent: what was given leave counts.
  if (failed_ || refused_ || server_over_ || !server_ || !server_->ready()) return false;
  const auto leave = injector_.take_leave(up_);
  if (!leave) return false;
  if (!leave->granted) {
    used_.clear();
    if (!injector_.asked().empty() || !answers_.idle()) {
      refuse("a request to a model was refused behind another one", nullptr);
      return true;
    }
    down_ += http::write_response(leave->answer);
  }
  if (auto s = guard_.go_on(up_); !s.ok()) refuse(s.error().message, nullptr);
  if (!injector_.refused().empty()) refuse_request();
  return true;
}

void TlsRelay::on_bad_answer(const Error& e) {
  if (e.code == Code::denied) return refuse(e.message, "502 Bad Gateway");
  fail(e.message);
}

void TlsRelay::on_server_end(TlsSide::Io how) {
  // An older connection may end at any time, and clients know what to do then.
  if (how == TlsSide::Io::broken && !server_spoke_ && !injector_.asked().empty())
    return fail(name_ + " ended the connection: " + server_->why());
  if (auto s = answers_.end(down_); !s.ok()) return on_bad_answer(s.error());
  server_over_ = true;
  end_well_ = how == TlsSide::Io::ended;
}

// ---- one direction after the other -------------------------------------------------------------

void TlsRelay::shake_hands(Side side) {
  TlsSide& s = side == Side::client ? client_ : *server_;
  if (s.ready() || s.handshake() != TlsSide::Io::broken) return;
  if (side == Side::server) return fail("TLS with " + name_ + ": " + s.why());
  state_ = State::broken;
  why_ = client_trouble(s.why());
}

bool TlsRelay::reads_client() const {
  if (!client_.ready() || client_ended_) return false;
  // What comes behind our last word is read and forgotten, or it would be lost by a reset.
  if (refused_ || failure_told_ || server_over_) return true;
  return up_.size() < kMaxWaiting && !guard_.waits_for_answer() && !guard_.waits_for_watch() &&
         injector_.asked().size() < kMaxAsked;
}

bool TlsRelay::reads_server() const {
  return server_ && server_->ready() && !server_over_ && down_.size() < kMaxWaiting;
}

void TlsRelay::on_client_bytes(std::string_view bytes) {
  if (refused_ || failure_told_ || (server_over_ && !failed_)) return;
  if (auto s = guard_.feed(bytes, up_); !s.ok())
    // The answer would be taken for that of an earlier request, where one waits.
    return injector_.asked().empty() ? refuse(s.error().message, "403 Forbidden")
                                     : refuse(s.error().message, nullptr);
  if (!injector_.refused().empty()) return refuse_request();
  if (injector_.take_continue() && injector_.asked().empty() && answers_.idle())
    down_ += "HTTP/1.1 100 Continue\r\n\r\n";
  tell_failure();
}

/// True: something happened.
bool TlsRelay::pull_up(std::string& scratch) {
  if (!reads_client()) return false;
  size_t n = 0;
  const auto io = client_.read(scratch.data(), scratch.size(), n);
  if (n > 0) on_client_bytes({scratch.data(), n});
  if (io == TlsSide::Io::done || io == TlsSide::Io::wait) return n > 0;
  client_ended_ = true;
  client_said_end_ = io == TlsSide::Io::ended;
  // In TLS 1.3 it says only now that it did not like the certificate.
  if (!client_said_end_ && client_.why().find("alert") != std::string::npos)
    why_ = client_trouble(client_.why());
  tell_failure();
  return true;
}

bool TlsRelay::push_up(Moved& m) {
  if (!server_ || !server_->ready() || server_over_) return false;
  if (server_deaf_) wipe(up_);
  bool any = false;
  size_t sent = 0;
  while (sent < up_.size() && sent < kOneMove) {
    size_t n = 0;
    const auto io = server_->write(std::string_view(up_).substr(sent), n);
    if (io != TlsSide::Io::done) {
      server_deaf_ = io == TlsSide::Io::broken;  // it may have answered before
      break;
    }
    sent += n;
    any = true;
    for (auto& [secret, where] : std::exchange(used_, {})) tell_("used", secret, std::move(where));
  }
  m.out += sent;
  if (sent != 0) drop_sent(up_, sent);
  if (client_ended_ && up_.empty() && !server_told_ && !server_over_) {
    server_told_ = any = true;
    if (client_said_end_) server_->end_write();
    shutdown(server_fd_, SHUT_WR);
  }
  return any;
}

void TlsRelay::on_server_bytes(std::string_view bytes) {
  server_spoke_ = true;
  if (auto s = answers_.feed(bytes, down_); !s.ok()) on_bad_answer(s.error());
}

bool TlsRelay::pull_down(std::string& scratch) {
  if (!reads_server()) return false;
  size_t n = 0;
  const auto io = server_->read(scratch.data(), scratch.size(), n);
  if (n > 0) on_server_bytes({scratch.data(), n});
  if (io == TlsSide::Io::done || io == TlsSide::Io::wait) return n > 0;
  if (!server_over_) on_server_end(io);
  return true;
}

bool TlsRelay::push_down(Moved& m) {
  if (!client_.ready() || client_told_) return false;
  bool any = false;
  while (!down_.empty()) {
    size_t n = 0;
    const auto io = client_.write(down_, n);
    if (io != TlsSide::Io::done) {
      if (io == TlsSide::Io::broken) state_ = State::broken;
      return any;
    }
    drop_sent(down_, n);
    m.in += n;
    any = true;
  }
  if (!server_over_ || (failed_ && !failure_told_)) return any;
  client_told_ = true;
  if (end_well_) client_.end_write();
  shutdown(client_fd_, SHUT_WR);
  return true;
}

TlsRelay::Moved TlsRelay::move(std::string& scratch) {
  Moved m;
  // The server first: it computes while we do.
  if (server_ && !server_over_) shake_hands(Side::server);
  shake_hands(Side::client);
  while (state_ == State::open && m.in + m.out < kOneMove) {
    bool any = on_leave();
    any = pull_up(scratch) || any;
    any = push_up(m) || any;
    any = pull_down(scratch) || any;
    any = push_down(m) || any;
    if (!any) break;
    m.any = true;
  }
  m.more = m.in + m.out >= kOneMove;
  if (state_ == State::open && client_told_ && client_ended_) state_ = State::over;
  return m;
}

uint32_t TlsRelay::client_events() const {
  if (!client_.ready()) return client_.wants_write() ? EPOLLOUT : EPOLLIN;
  return (reads_client() ? uint32_t{EPOLLIN} : 0U) | (down_.empty() ? 0U : uint32_t{EPOLLOUT});
}

uint32_t TlsRelay::server_events() const {
  if (!server_ || server_over_) return 0;
  if (!server_->ready()) return server_->wants_write() ? EPOLLOUT : EPOLLIN;
  return (reads_server() ? uint32_t{EPOLLIN} : 0U) | (up_.empty() ? 0U : uint32_t{EPOLLOUT});
}

}  // namespace codexos::daemon
