// SPDX-License-Identifier: Apache-2.0
// TLS by OpenSSL on sockets of the loop: a side that never blocks, never raises SIGPIPE and says
// why it failed; certificates of a task's CA for the side that its programs see; the trust store of
// this machine for the side that servers see.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/error.h"
#include "daemon/trust/task_ca.h"

struct ssl_ctx_st;  // SSL_CTX
struct ssl_st;      // SSL

namespace codexos::daemon {

struct FreeTlsContext {
  void operator()(ssl_ctx_st* c) const;
};
struct FreeTls {
  void operator()(ssl_st* s) const;
};
using TlsContextPtr = std::unique_ptr<ssl_ctx_st, FreeTlsContext>;

/// What the daemon shows programs of one task: a certificate for each host name, made when it is
/// first asked for and again when it gets old.
class TlsLeaves {
 public:
  explicit TlsLeaves(std::shared_ptr<const TaskCa> ca) : ca_(std::move(ca)) {}
  /// As long as this lives, or a TlsSide made of it. Error internal: OpenSSL could not.
  Result<ssl_ctx_st*> context_for(const std::string& name);
  const std::shared_ptr<const TaskCa>& ca() const { return ca_; }

 private:
  struct Leaf {
    TlsContextPtr context;
    int64_t made_us = 0;
  };
  std::shared_ptr<const TaskCa> ca_;
  std::map<std::string, Leaf> leaves_;
};

/// Verifies servers by the trust store of this machine, or by what SSL_CERT_FILE and SSL_CERT_DIR
/// of the daemon's environment name. Reading a store of usual size takes 10 to 20 ms: once, and
/// again when its file is another one.
class TlsServers {
 public:
  /// Error internal: OpenSSL could not.
  Result<ssl_ctx_st*> context();

 private:
  TlsContextPtr context_;
  std::string stamp_;
};

/// A socket as OpenSSL sees it.
struct QuietSocket {
  int fd = -1;
  bool drained = false;  // all was read that there was
};

/// One side of one connection. Does not own the socket.
class TlsSide {
 public:
  enum class Io {
    done,
    wait,    // for the socket: wants_write() says for which way
    ended,   // the other one has said that it is the end
    broken,  // why() says what happened; also an end that was not said
  };
  /// Towards a client, which speaks first.
  static Result<TlsSide> accept(ssl_ctx_st* context, int fd);
  /// Towards the server `name`, whose certificate must be for that name.
  static Result<TlsSide> connect(ssl_ctx_st* context, int fd, const std::string& name);

  Io handshake();
  bool ready() const { return ready_; }
  Io read(char* to, size_t size, size_t& n);
  Io write(std::string_view bytes, size_t& n);
  /// The loop says that there is something to read: until then the socket is not asked again.
  void on_readable() { socket_->drained = false; }
  /// Says that nothing more comes.
  void end_write();
  /// What the last operation waits for.
  bool wants_write() const { return wants_write_; }
  const std::string& why() const { return why_; }

 private:
  TlsSide() = default;
  Io outcome(int rc);
  std::unique_ptr<QuietSocket> socket_ = std::make_unique<QuietSocket>();
  std::unique_ptr<ssl_st, FreeTls> ssl_;  // uses socket_: ends before it
  bool ready_ = false, wants_write_ = false;
  std::string why_;
};

}  // namespace codexos::daemon
