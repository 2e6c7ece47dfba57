// SPDX-License-Identifier: Apache-2.0
// Connections are plain structs in a map; what a handler holds is a Call, which loses its
// connection when the peer goes away. Bytes queued in a turn leave in flush(), after the turn's
// commit: a connection knows how many of its bytes are released.
#include "daemon/api/server.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <unordered_map>

#include "core/base/clock.h"
#include "core/base/frames.h"
#include "core/base/log.h"
#include "core/base/text.h"
#include "core/os/socket.h"
#include "daemon/api/router.h"

namespace codexos::daemon {
namespace {

constexpr size_t kBacklog = 1 << 20;
constexpr size_t kMaxFds = 16;
constexpr int64_t kHeartbeatMs = 15000;
constexpr int64_t kYoungUs = 500000;  // within this a new connection's request is still expected
constexpr std::string_view kHeartbeat = "{\"type\":\"heartbeat\"}\n";

class ServerImpl;
class CallImpl;

struct Connection {
  Fd fd;
  uint64_t serial = 0;  // tells it from the next one with the same descriptor number
  http::RequestParser parser;
  std::string out;                   // not yet sent
  size_t released = 0;               // of `out`: may be sent before the next flush
  std::vector<Fd> fds;               // came with bytes of a request that is not complete
  std::shared_ptr<CallImpl> call;    // being answered
  std::function<void()> after_sent;  // 101: then the connection is the shim's
  Identity who;                      // of the last message
  bool upgraded = false;
  bool close_after = false;
  bool watched = false;
  bool dirty = false;
  bool namespace_shown = false;
  bool streaming = false;
  bool was_backlogged = false;
  bool heard = false;  // a whole request
  int64_t accepted_us = 0;
  Loop::TimerId heartbeat = 0;
};

/// A message for people is text, also when it tells of a path that is none.
std::string as_text(const std::string& s) {
  if (is_utf8(s)) return s;
  std::string out;
  char hex[8];
  for (const char c : s) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      out.push_back(c);
    } else {
      snprintf(hex, sizeof hex, "\\x%02x", byte);
      out += hex;
    }
  }
  return out;
}

/// Members without a value are left out; what RFC 9457 readers look for is always there.
std::string encode_problem(wire::Problem p) {
  p.detail = as_text(p.detail);
  p.hint = as_text(p.hint);
  const auto whole = json::parse(json::encode(p));
  json::Value shown = json::Value::object();
  for (const auto& [name, value] : whole->items())
    if (value != "") shown[name] = value;  // NOLINT(readability-container-size-empty): a JSON value
  return json::dump(shown);
}

/// An error before there is a Call, and the base of those with one.
wire::Problem problem_of(const Error& e) {
  const auto& row = wire::code_row(e.code);
  wire::Problem p;
  p.code = row.name;
  p.status = row.http_status;
  p.title = row.title;
  p.detail = e.message;
  p.hint = e.hint;
  return p;
}

class CallImpl final : public Call, public std::enable_shared_from_this<CallImpl> {
 public:
  CallImpl(ServerImpl& server, Connection& c, http::Request r, Identity who, std::string id,
           std::vector<Fd> fds)
      : server_(server), connection_(&c) {
    request_ = std::move(r);
    who_ = std::move(who);
    request_id_ = std::move(id);
    fds_ = std::move(fds);
  }
  void set_params(std::vector<std::string> params) { params_ = std::move(params); }

  void reply(int status, std::string body) override {
    respond(status, std::move(body), "application/json");
  }
  void fail(wire::Problem p) override {
    p.request_id = request_id_;
    log_failure(p);
    if (streaming()) return cut_stream();
    respond(p.status, encode_problem(p), "application/problem+json");
  }
  void fail_allowed(wire::Problem p, const std::string& allow) {
    allow_ = allow;
    fail(std::move(p));
  }
  using Call::fail;
  void respond(int status, std::string body, const char* type);
  void start_stream() override;
  void send_line(std::string line) override;
  bool backlogged() const override {
    return connection_ != nullptr && connection_->out.size() > kBacklog;
  }
  void end_stream() override;
  void start_body(const char* type) override;
  void send_bytes(std::string_view bytes) override;
  Result<Fd> duplicate_connection() override;
  void upgraded(std::function<void()> after_sent, const std::string& task) override;
  bool gone() const override { return connection_ == nullptr; }

  void lose_connection() {
    connection_ = nullptr;
    on_drain_ = nullptr;  // often holds the call itself
    if (auto fn = std::exchange(on_gone_, nullptr)) fn();
  }
  void answered() {
    connection_ = nullptr;
    on_gone_ = nullptr;
    on_drain_ = nullptr;
  }
  void drained() {
    if (auto fn = on_drain_) fn();
  }

 private:
  bool streaming() const { return connection_ != nullptr && connection_->streaming; }
  void cut_stream();
  void log_failure(const wire::Problem& p) const;
  http::Response head(int status, const char* type) const;
  ServerImpl& server_;
  Connection* connection_;
  std::string allow_;  // for 405
};

class ServerImpl final : public Server {
 public:
  ServerImpl(Loop& loop, Fd listener, PeerCheck check, std::vector<Route> routes)
      : loop_(loop),
        listener_(std::move(listener)),
        check_(std::move(check)),
        routes_(std::move(routes)) {}
  ~ServerImpl() override {
    while (!connections_.empty()) drop(*connections_.begin()->second);
    if (listener_) close_listener();
  }

  Status start() {
    want_sender_id(listener_.get());
    return loop_.watch(listener_.get(), EPOLLIN, "accept", [this](uint32_t) { on_accept(); });
  }
  void flush() override {
    const auto batch = std::exchange(dirty_, {});
    for (const int fd : batch) {
      Connection* c = find(fd);
      if (c == nullptr || !c->dirty) continue;  // dropped, and the number is a new caller's
      c->dirty = false;
      c->released = c->out.size();
      send_released(*c);
    }
  }
  void flush_failed(const Error& e) override {
    const auto batch = std::exchange(dirty_, {});
    for (const int fd : batch) {
      Connection* c = find(fd);
      if (c == nullptr || !c->dirty) continue;  // dropped, and the number is a new caller's
      c->dirty = false;
      take_back(*c, e);
      c->released = c->out.size();
      send_released(*c);
    }
  }
  void stop_accepting() override {
    if (!listener_) return;
    // Who connected before sees an answer, not a closed connection.
    for (uint64_t before = ~uint64_t{0}; before != serials_;) {
      before = serials_;
      on_accept();
    }
    close_listener();
  }
  bool quiet() const override {
    const int64_t young_us = monotonic_us() - kYoungUs;
    return std::none_of(connections_.begin(), connections_.end(), [young_us](const auto& entry) {
      const Connection& c = *entry.second;
      if (c.streaming) return false;
      return c.call != nullptr || !c.out.empty() || (!c.heard && c.accepted_us > young_us);
    });
  }
  size_t open_connections() const override { return connections_.size(); }

  void queue(Connection& c, std::string_view bytes) {
    c.out += bytes;
    if (c.out.size() > kBacklog) c.was_backlogged = true;  // the producer stops and waits for drain
    mark(c);
  }
  void mark(Connection& c) {
    if (std::exchange(c.dirty, true)) return;
    dirty_.push_back(c.fd.get());
  }
  /// The call of `c` is over; what follows on the connection may be read again.
  void call_done(Connection& c) {
    if (auto call = std::exchange(c.call, nullptr)) call->answered();
    if (c.heartbeat != 0) loop_.cancel(std::exchange(c.heartbeat, 0));
    c.streaming = false;
  }
  void arm_heartbeat(Connection& c) {
    c.heartbeat = loop_.after_ms(kHeartbeatMs, "heartbeat", [this, fd = c.fd.get()] {
      Connection* again = find(fd);  // a dropped connection cancels its timer
      if (again == nullptr || !again->streaming) return;
      again->heartbeat = 0;
      if (again->out.size() <= kBacklog) queue(*again, http::chunk(kHeartbeat));
      arm_heartbeat(*again);
    });
  }

 private:
  void close_listener() {
    loop_.forget(listener_.get());
    listener_.reset();
  }
  Connection* find(int fd) {
    const auto it = connections_.find(fd);
    return it == connections_.end() ? nullptr : it->second.get();
  }

  void on_accept() {
    for (int i = 0; i < 16 && listener_; ++i) {
      Fd fd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
      if (!fd) {
        if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR) pause_accepting(errno);
        return;
      }
      want_sender_id(fd.get());
      auto c = std::make_unique<Connection>();
      const int n = fd.get();
      c->fd = std::move(fd);
      c->serial = ++serials_;
      c->accepted_us = monotonic_us();
      Connection& ref = *c;
      connections_[n] = std::move(c);
      read_some(ref);  // the request is usually there already
      if (Connection* still = find(n); still != nullptr && !still->dirty) watch(*still);
    }
  }
  // Out of descriptors: level-triggered accept would spin.
  void pause_accepting(int error) {
    log_line(LogLevel::error, "server", errno_error("accept", error).message);
    loop_.forget(listener_.get());
    loop_.after_ms(100, "accept again", [this] {
      if (listener_)
        (void)loop_.watch(listener_.get(), EPOLLIN, "accept", [this](uint32_t) { on_accept(); });
    });
  }

  uint32_t wanted(const Connection& c) const {
    return EPOLLRDHUP | (c.call == nullptr && !c.close_after ? EPOLLIN : 0U) |
           (c.released > 0 ? EPOLLOUT : 0U);
  }
  void watch(Connection& c) {
    const int fd = c.fd.get();
    if (c.watched) {
      (void)loop_.modify(fd, wanted(c));
      return;
    }
    c.watched = loop_
                    .watch(fd, wanted(c), "connection",
                           [this, fd](uint32_t events) { on_ready(fd, events); })
                    .ok();
    if (!c.watched) drop(c);
  }
  void on_ready(int fd, uint32_t events) {
    Connection* c = find(fd);
    if (c == nullptr) return;
    if ((events & EPOLLOUT) != 0) {
      send_released(*c);
      c = find(fd);
      if (c == nullptr) return;
    }
    if ((events & EPOLLIN) != 0 && c->call == nullptr) {
      read_some(*c);
      c = find(fd);
      if (c != nullptr && !c->dirty) watch(*c);
      return;
    }
    if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) drop(*c);
  }

  void drop(Connection& c) {
    const int fd = c.fd.get();
    if (c.watched) loop_.forget(fd);
    if (c.heartbeat != 0) loop_.cancel(c.heartbeat);
    const auto call = std::exchange(c.call, nullptr);
    const auto keep = std::move(connections_.at(fd));
    connections_.erase(fd);
    if (call) call->lose_connection();
  }

  void read_some(Connection& c) {
    const int fd = c.fd.get();
    while (Connection* now = find(fd)) {
      // An answer goes out before the next read: the end of a caller that has only closed its
      // sending side must not take it along.
      if (now->call != nullptr || now->close_after || now->dirty) return;
      char buf[65536];
      bool again = false;
      auto got = receive(fd, buf, sizeof buf, again);
      if (again) return;
      if (!got.ok() || got->bytes == 0) return drop(*now);
      const bool more = on_bytes(*now, std::string_view(buf, got->bytes), *got);
      explicit_bzero(buf, got->bytes);  // there may be a secret in it
      if (!more) return;
    }
  }

  // False: nothing more is read now.
  bool on_bytes(Connection& c, std::string_view bytes, Received& got) {
    if (!got.sender) return refuse(c, Error{Code::denied, "the caller is not known", {}}, 403);
    auto who = check_.check(*got.sender, got.fds, c.namespace_shown);
    if (!who.ok()) {
      log_line(
          LogLevel::warning, "server", who.error().message,
          {{"pid", std::to_string(got.sender->pid)}, {"uid", std::to_string(got.sender->uid)}});
      return refuse(c, who.error(), 403);
    }
    for (auto& f : got.fds) c.fds.push_back(std::move(f));
    if (c.fds.size() > kMaxFds)
      return refuse(c, Error{Code::invalid, "too many descriptors", {}}, 400);
    if (auto fed = c.parser.feed(bytes); !fed)
      return refuse(c, fed.error(), c.parser.error_status());
    return next_request(c, *who);
  }

  bool next_request(Connection& c, const Identity& who) {
    auto next = c.parser.next();
    if (!next.ok()) return refuse(c, next.error(), c.parser.error_status());
    if (c.parser.take_continue()) queue(c, "HTTP/1.1 100 Continue\r\n\r\n");
    if (!*next) return true;
    const int fd = c.fd.get();
    c.heard = true;
    if (!(*next)->keep_alive) c.close_after = true;
    c.call = std::make_shared<CallImpl>(*this, c, std::move(**next), who, next_request_id(),
                                        std::exchange(c.fds, {}));
    c.who = who;
    dispatch(c.call);
    return find(fd) != nullptr;
  }

  void dispatch(const std::shared_ptr<CallImpl>& call) {
    const http::Request& request = call->request();
    Match match = find_route(routes_, request.method, request.path);
    if (match.route != nullptr) {
      call->set_params(std::move(match.params));
      return match.route->handler(call);
    }
    const std::string what = request.method + " " + request.path;
    wire::Problem p = problem_of(Error{Code::not_found, what + ": there is no such resource", {}});
    if (!match.allow.empty()) {
      p.status = 405;
      p.title = http::status_text(405);
      p.detail = what + ": the methods here are " + match.allow;
    }
    call->fail_allowed(std::move(p), match.allow);
  }

  std::string next_request_id() {
    char id[40];
    snprintf(id, sizeof id, "%x-%llx", static_cast<unsigned>(getpid()),
             static_cast<unsigned long long>(++requests_));
    return id;
  }

  /// Answers `e` and closes; nothing more is read. False: on_bytes returns it. status 0: by code.
  bool refuse(Connection& c, const Error& e, int status) {
    wire::Problem p = problem_of(e);
    if (status != 0) p.status = status;
    p.request_id = next_request_id();
    http::Response r;
    r.status = p.status;
    r.keep_alive = false;
    r.headers.map["content-type"] = "application/problem+json";
    r.headers.map["x-request-id"] = p.request_id;
    r.body = encode_problem(p) + "\n";
    c.close_after = true;
    queue(c, http::write_response(r));
    return false;
  }

  void take_back(Connection& c, const Error& e) {
    c.out.resize(c.released);
    c.after_sent = nullptr;
    c.upgraded = false;
    const bool stream = c.streaming;
    call_done(c);
    if (!stream) refuse(c, e, 0);
    c.close_after = true;
  }

  void send_released(Connection& c) {
    const int fd = c.fd.get();
    while (c.released > 0) {
      bool again = false;
      auto sent = send_bytes(fd, std::string_view(c.out).substr(0, c.released), {}, again);
      if (!sent.ok()) return drop(c);
      if (again) break;
      c.out.erase(0, *sent);
      c.released -= *sent;
    }
    after_send(c);
  }

  void after_send(Connection& c) {
    if (c.out.empty() && c.upgraded) {
      const auto then = std::exchange(c.after_sent, nullptr);
      call_done(c);
      drop(c);
      if (then) then();
      return;
    }
    if (c.out.empty() && c.close_after && c.call == nullptr) {
      shutdown(c.fd.get(), SHUT_WR);
      return drop(c);
    }
    const int fd = c.fd.get();
    if (c.was_backlogged && c.out.size() < kBacklog / 2 && c.call != nullptr) {
      c.was_backlogged = false;
      const auto call = c.call;
      call->drained();
      if (find(fd) == nullptr) return;
    }
    watch(c);
    if (find(fd) == nullptr || c.call != nullptr || c.close_after) return;
    // A pipelined request may wait in the parser. It gets a turn, and so a commit, of its own.
    if (c.parser.has_bytes()) loop_.defer([this, fd, serial = c.serial] { resume(fd, serial); });
  }

  void resume(int fd, uint64_t serial) {
    Connection* c = find(fd);
    if (c == nullptr || c->serial != serial || c->call != nullptr || c->close_after) return;
    next_request(*c, c->who);
    c = find(fd);
    if (c != nullptr && !c->dirty) watch(*c);
  }

  Loop& loop_;
  Fd listener_;
  PeerCheck check_;
  std::vector<Route> routes_;
  std::unordered_map<int, std::unique_ptr<Connection>> connections_;
  std::vector<int> dirty_;
  uint64_t requests_ = 0;
  uint64_t serials_ = 0;
};

// --- what a handler sees ---

http::Response CallImpl::head(int status, const char* type) const {
  http::Response r;
  r.status = status;
  r.keep_alive = request_.keep_alive;
  r.headers.map["content-type"] = type;
  r.headers.map["x-request-id"] = request_id_;
  if (!allow_.empty()) r.headers.map["allow"] = allow_;
  return r;
}

void CallImpl::respond(int status, std::string body, const char* type) {
  if (connection_ == nullptr) return;
  http::Response r = head(status, type);
  r.body = std::move(body);
  if (r.body.empty() || r.body.back() != '\n') r.body.push_back('\n');
  Connection& c = *connection_;
  server_.queue(c, http::write_response(r));
  server_.call_done(c);
}

void CallImpl::start_body(const char* type) {
  if (connection_ == nullptr) return;
  connection_->streaming = true;
  server_.queue(*connection_, http::write_chunked_head(head(200, type)));
}

void CallImpl::send_bytes(std::string_view bytes) {
  if (connection_ == nullptr || bytes.empty()) return;  // an empty chunk is the end
  server_.queue(*connection_, http::chunk(bytes));
}

void CallImpl::start_stream() {
  if (connection_ == nullptr) return;
  start_body("application/x-ndjson");
  server_.arm_heartbeat(*connection_);
}

/// What has no end is not complete: the client sees a cut stream, and the log says why.
void CallImpl::cut_stream() {
  Connection& c = *connection_;
  c.close_after = true;
  server_.call_done(c);
  server_.mark(c);
}

/// The entry that a problem's request_id leads to.
void CallImpl::log_failure(const wire::Problem& p) const {
  log_line(p.status >= 500 ? LogLevel::warning : LogLevel::info, "server", p.detail,
           {{"request", request_id_},
            {"method", request_.method},
            {"path", request_.path},
            {"status", std::to_string(p.status)},
            {"code", p.code},
            {"pid", std::to_string(who_.pid)}});
}

void CallImpl::send_line(std::string line) {
  if (connection_ == nullptr) return;
  if (line.empty() || line.back() != '\n') line.push_back('\n');
  server_.queue(*connection_, http::chunk(line));
}

void CallImpl::end_stream() {
  if (connection_ == nullptr) return;
  Connection& c = *connection_;
  server_.queue(c, http::kLastChunk);
  server_.call_done(c);
}

Result<Fd> CallImpl::duplicate_connection() {
  if (connection_ == nullptr) return Error{Code::unavailable, "the caller is gone", {}};
  Fd copy(fcntl(connection_->fd.get(), F_DUPFD_CLOEXEC, 3));
  if (!copy) return errno_error("duplicate the connection", errno);
  return copy;
}

void CallImpl::upgraded(std::function<void()> after_sent, const std::string& task) {
  if (connection_ == nullptr) return;
  Connection& c = *connection_;
  c.upgraded = true;
  c.after_sent = std::move(after_sent);
  server_.queue(
      c, "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: codexos-frames/" +
             std::to_string(kFramesVersion) + "\r\ncodexos-task: " + task +
             "\r\nx-request-id: " + request_id_ + "\r\n\r\n");
}

}  // namespace

std::string_view Call::query(const std::string& name) const {
  const auto it = request_.query.find(name);
  return it == request_.query.end() ? std::string_view() : std::string_view(it->second);
}

void Call::fail(const Error& e) { fail(problem_of(e)); }

Result<std::unique_ptr<Server>> Server::make(Loop& loop, Fd listener, PeerCheck check,
                                             std::vector<Route> routes) {
  auto s =
      std::make_unique<ServerImpl>(loop, std::move(listener), std::move(check), std::move(routes));
  CODEXOS_TRY(s->start());
  return std::unique_ptr<Server>(std::move(s));
}

}  // namespace codexos::daemon
