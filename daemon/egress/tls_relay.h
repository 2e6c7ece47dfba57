// SPDX-License-Identifier: Apache-2.0
// A connection whose TLS ends here: the task's program speaks TLS with the daemon, by a certificate
// of the task's CA, the daemon with the server, whose certificate it verifies. What goes up is
// followed by an HttpGuard and an Injector, what comes down by Answers. Neither side is read while
// the other one has not taken what there is. Knows sockets only by number; its owner watches them.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "daemon/egress/answers.h"
#include "daemon/egress/http_guard.h"
#include "daemon/egress/injector.h"
#include "daemon/egress/tls.h"

namespace codexos::daemon {

class TlsRelay {
 public:
  struct Parts {
    std::string name;  // of the server
    uint16_t port = 0;
    InjectionSetPtr injections;  // may be null
    Injector::Tell tell;
    TaskMetering metering;
    std::function<void()> wake;  // move() has something to do
  };
  /// `client` has the client's first bytes still to be read.
  TlsRelay(TlsSide client, int client_fd, const Parts& parts);
  TlsRelay(const TlsRelay&) = delete;
  TlsRelay& operator=(const TlsRelay&) = delete;

  /// The server's socket is connected.
  void connect(TlsSide server, int server_fd);
  /// There is no server, or none that can be believed: the client is told by an answer of 502.
  void fail(std::string why);

  struct Moved {
    uint64_t in = 0, out = 0;  // as the client sees it
    bool any = false;
    bool more = false;  // there is more to do, of which the loop will not tell
  };
  void on_client_readable() { client_.on_readable(); }
  void on_server_readable() {
    if (server_) server_->on_readable();
  }
  /// What can be done without waiting, up to about a megabyte.
  Moved move(std::string& scratch);

  enum class State { open, over, broken };
  State state() const { return state_; }
  /// Of epoll(7): what to wait for.
  uint32_t client_events() const;
  uint32_t server_events() const;
  /// Nothing more goes to or comes from the server: its socket can be closed.
  bool without_server() const { return server_over_; }
  /// The server's TLS is not agreed on yet.
  bool reaching() const { return server_ && !server_->ready() && !server_over_; }
  /// All was said, only the client has not ended yet.
  bool lingers() const { return client_told_; }
  /// Why it failed, and whether it was us who refused something.
  const std::string& why() const { return why_; }
  bool refused() const { return refused_ && denies_; }

 private:
  enum class Side { client, server };
  Answers::Calls answer_calls();
  Result<std::string> on_tokens(uint32_t exchange, std::string_view body);
  void shake_hands(Side side);
  bool pull_up(std::string& scratch);
  bool push_up(Moved& m);
  bool pull_down(std::string& scratch);
  bool push_down(Moved& m);
  void on_client_bytes(std::string_view bytes);
  void on_server_bytes(std::string_view bytes);
  void on_server_end(TlsSide::Io how);
  void on_bad_answer(const Error& e);
  void refuse(std::string why, const char* status);
  void refuse_request();
  bool on_leave();
  void note(const char* what, uint32_t secret, std::string where);
  void answer_instead(const char* status);
  Status on_upgrade_answer(std::string_view first);
  void tell_failure();
  bool reads_client() const;
  bool reads_server() const;

  TlsSide client_;
  int client_fd_;
  std::optional<TlsSide> server_;
  int server_fd_ = -1;
  std::string name_;
  InjectionSetPtr injections_;
  Injector::Tell tell_;
  std::vector<std::pair<uint32_t, std::string>> used_;  // told when the server has taken them
  Injector injector_;
  HttpGuard guard_;
  Answers answers_;
  std::string up_, down_;  // not yet taken by the other side
  State state_ = State::open;
  std::string why_;
  bool refused_ = false, failed_ = false, failure_told_ = false;
  bool denies_ = true;  // the refusal is one of the task's walls
  bool client_ended_ = false, client_said_end_ = false, client_told_ = false;
  bool server_over_ = false, server_told_ = false, server_deaf_ = false;
  bool server_spoke_ = false;
  bool end_well_ = false;  // the client is told of an end, not only cut off
};

}  // namespace codexos::daemon
