// SPDX-License-Identifier: Apache-2.0
// One relayed connection of a task. The name behind the address that it dialled was admitted by a
// rule; here what the client itself says is compared with that name: the SNI of TLS, the Host of
// every request of plain HTTP. The server is dialled meanwhile, since in some protocols it speaks
// first, and nothing of the client is passed on before it was looked at.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "core/base/fd.h"
#include "core/os/loop.h"
#include "daemon/egress/dialer.h"
#include "daemon/egress/flow.h"
#include "daemon/egress/http_guard.h"
#include "daemon/egress/injector.h"
#include "daemon/egress/net_policy.h"
#include "daemon/egress/tls_relay.h"

namespace codexos::daemon {

class Connection;

class ConnectionOwner {
 public:
  virtual ~ConnectionOwner() = default;
  /// False: that was more than the task may send and get; the connection will be cut.
  virtual bool on_bytes(uint64_t in, uint64_t out) = 0;
  /// The connection is over. It is destroyed later, not while one of its own functions runs.
  virtual void on_end(Connection& c) = 0;
  /// A secret was used, or its placeholder or value seen.
  virtual void on_secret(const Connection& c, const char* what, const std::string& secret,
                         std::string where) = 0;
};

struct ConnectionParts {
  DialParts dial;
  PipePool& pipes;
  std::string& scratch;  // room for what is looked at, shared by all
  TlsServers& servers;
};

/// How what is inside a connection is dealt with.
struct Treatment {
  InjectionSetPtr injections;         // null: none
  std::shared_ptr<TlsLeaves> leaves;  // null: TLS cannot be terminated
  TaskMetering metering;
  bool bound = false;      // a secret may be put in: TLS is terminated
  bool terminate = false;  // a rule says so: and nothing but HTTP is let through
  bool ends_tls() const { return bound || terminate; }
};

class Connection {
 public:
  Connection(const ConnectionParts& parts, Fd client, DialTarget target, Treatment treatment,
             ConnectionOwner& owner);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Before start(): to this socket, which connects already, instead of dialling.
  void connect_to(Fd server) { server_ = std::move(server); }
  /// on_end() may be called from within.
  void start();
  /// Ends it now; on_end() is not called.
  void cut(const std::string& why);
  const DialTarget& target() const { return target_; }
  const Treatment& treatment() const { return treatment_; }
  /// What is to be told of it, after its end.
  NetReport report() const;

 private:
  enum class Check { undecided, http, done };
  void on_client(uint32_t events);
  void on_server(uint32_t events);
  void on_reached(Result<Reached> reached);
  bool look();
  bool look_at_tls(std::string_view bytes, bool cut_short);
  bool look_at_text(std::string_view bytes, bool cut_short);
  void begin_tls();
  void reach_by_tls();
  void move_tls();
  void move_soon();
  void end_in_ms(int64_t ms);
  Injector::Tell teller();
  void wait_for_more(size_t than);
  uint64_t move_up();
  uint64_t move_http();
  uint64_t send_pending();
  bool look_at_answer();
  void move();
  void update_interest();
  void refuse(std::string why, bool tell_http);
  void end(std::string why);
  void close_sockets(bool reset);

  ConnectionParts p_;
  Fd client_, server_;
  DialTarget target_;
  Treatment treatment_;
  ConnectionOwner& owner_;
  std::unique_ptr<Dialer> dialer_;
  Flow up_, down_;
  Check check_ = Check::undecided;
  HttpGuard guard_;
  std::unique_ptr<Injector> watch_;       // of plain HTTP, where the task has secrets
  std::unique_ptr<TlsRelay> tls_;         // what was TLS, when it is terminated
  Loop::TimerId timer_ = 0, again_ = 0;   // of tls_
  bool lingers_ = false, whole_ = false;  // of tls_
  std::string pending_;                   // of plain HTTP: looked at, not yet taken by the server
  bool client_ended_ = false, server_told_ = false;  // of plain HTTP
  size_t looked_ = 0;
  bool client_hung_up_ = false, failed_ = false;
  bool server_watched_ = false;
  uint32_t client_interest_ = 0, server_interest_ = 0;
  bool over_ = false, denied_ = false;
  std::string why_, hint_, address_;
  uint64_t in_ = 0, out_ = 0;
  int64_t began_us_ = 0, ended_us_ = 0;
};

}  // namespace codexos::daemon
