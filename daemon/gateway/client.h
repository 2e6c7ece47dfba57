// SPDX-License-Identifier: Apache-2.0
// One connection of a task to the gateway: HTTP/1.1 requests in, one after the other, answers out.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/base/fd.h"
#include "core/http/http.h"
#include "core/os/loop.h"

namespace codexos::daemon {

class ClientConnection;

class ClientOwner {
 public:
  virtual ~ClientOwner() = default;
  /// The next one comes after end_answer().
  virtual void on_request(ClientConnection& c, http::Request request) = 0;
  /// What was too much for now has been taken.
  virtual void on_drained(ClientConnection& c) = 0;
  /// The task has gone, or broke HTTP, or its last answer was sent. The connection is destroyed
  /// later, not while one of its own functions runs.
  virtual void on_gone(ClientConnection& c) = 0;
};

class ClientConnection {
 public:
  static constexpr size_t kHigh = 256 << 10, kLow = 64 << 10;

  ClientConnection(Loop& loop, Fd socket, ClientOwner& owner);
  ~ClientConnection();
  ClientConnection(const ClientConnection&) = delete;
  ClientConnection& operator=(const ClientConnection&) = delete;

  /// Error unavailable: the loop has no room.
  Status start();
  void send(std::string_view bytes);
  /// More than kHigh wait: stop until on_drained().
  bool is_full() const { return out_.size() - sent_ > kHigh; }
  /// `keep_alive`: another request may follow.
  void end_answer(bool keep_alive);
  /// Closes at once; what was sent is cut off where the other side can tell. on_gone() comes.
  void abort();

 private:
  void on_ready(uint32_t events);
  bool read();
  void next_request();
  void refuse();
  bool flush();
  void update();
  void gone();

  Loop& loop_;
  Fd socket_;
  ClientOwner& owner_;
  http::RequestParser parser_;
  std::string out_;
  size_t sent_ = 0;
  bool answering_ = false, closing_ = false, full_ = false, gone_ = false;
  uint32_t interest_ = 0;
  std::shared_ptr<bool> exists_ = std::make_shared<bool>(true);
};

}  // namespace codexos::daemon
