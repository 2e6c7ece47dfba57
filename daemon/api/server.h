// SPDX-License-Identifier: Apache-2.0
// The HTTP server on the Unix socket: accept, connection states, router table. Handlers are called
// with a Call; they answer at once, later (from any callback), as a stream, or by taking the
// connection over (101). Answers made during a turn are sent after the turn's commit.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/base/fd.h"
#include "core/http/http.h"
#include "core/json/json.h"
#include "core/os/loop.h"
#include "core/wire/problem.h"
#include "daemon/api/identity.h"

namespace codexos::daemon {

/// One request being answered. Shared by the connection and the handler: a handler may keep it to
/// answer later; when the peer goes away `gone` is true and on_gone was called. (The one use of
/// shared ownership in the daemon: either side may end first.)
class Call {
 public:
  virtual ~Call() = default;
  const http::Request& request() const { return request_; }
  const Identity& who() const { return who_; }
  const std::string& request_id() const { return request_id_; }
  /// Path parameters of the route, in order: /v1/tasks/{id} -> param(0).
  const std::string& param(size_t i) const { return params_.at(i); }
  std::string_view query(const std::string& name) const;
  /// Descriptors that came with the request; the handler may take them.
  std::vector<Fd>& fds() { return fds_; }

  virtual void reply(int status, std::string json_body) = 0;
  void fail(const Error& e);  // problem+json
  virtual void fail(wire::Problem p) = 0;
  template <class T>
  void reply_with(int status, const T& x) {
    reply(status, json::encode(x));
  }
  /// Starts an NDJSON stream (200, chunked); a heartbeat line is written every 15 s.
  virtual void start_stream() = 0;
  virtual void send_line(std::string json_line) = 0;
  virtual bool backlogged() const = 0;  // more than 1 MiB waits to be sent: stop producing
  void on_drain(std::function<void()> fn) { on_drain_ = std::move(fn); }
  virtual void end_stream() = 0;
  /// The same for a body of another type that grows piece by piece (200, chunked, no heartbeat);
  /// end_stream() ends it, fail() cuts it.
  virtual void start_body(const char* type) = 0;
  virtual void send_bytes(std::string_view bytes) = 0;
  /// Hands out a duplicate of the connection's descriptor for the shim. After `upgraded()` the
  /// server sends the 101 (after the commit), closes its own copy and forgets the connection.
  virtual Result<Fd> duplicate_connection() = 0;
  /// `task`: named by the 101 as `codexos-task`, so that the client can ask about it later.
  virtual void upgraded(std::function<void()> after_sent, const std::string& task) = 0;
  virtual bool gone() const = 0;
  void on_gone(std::function<void()> fn) { on_gone_ = std::move(fn); }

 protected:
  http::Request request_;
  Identity who_;
  std::string request_id_;
  std::vector<std::string> params_;
  std::vector<Fd> fds_;
  std::function<void()> on_gone_;
  std::function<void()> on_drain_;
};
using CallPtr = std::shared_ptr<Call>;

struct Route {
  std::string_view method;
  std::string_view pattern;  // "/v1/tasks/{id}/stop"
  std::function<void(CallPtr)> handler;
};

class Server {
 public:
  virtual ~Server() = default;
  /// `listener` is bound and listening. Routes are matched in order.
  static Result<std::unique_ptr<Server>> make(Loop& loop, Fd listener, PeerCheck check,
                                              std::vector<Route> routes);
  /// Sends what waited for the turn's commit. Called by main's turn_end after the commit.
  virtual void flush() = 0;
  /// The commit failed: everything that waited is answered with `e` instead.
  virtual void flush_failed(const Error& e) = 0;
  /// Takes in who has connected until now, then listens no more.
  virtual void stop_accepting() = 0;
  /// Nobody waits for an answer or is about to ask: connections that follow a stream, or that have
  /// been silent, do not count.
  virtual bool quiet() const = 0;
  virtual size_t open_connections() const = 0;
};

}  // namespace codexos::daemon
