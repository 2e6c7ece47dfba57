// SPDX-License-Identifier: Apache-2.0
// Follows the requests of a plain HTTP/1.x connection (RFC 9112), so that every one of them is for
// the host that was allowed: also the second, and one that hides behind a body of doubtful length.
// What two programs could read differently is refused, not repaired. It knows no bodies by heart:
// bytes are passed on as they come, a head when all of it was read. (core/http collects whole
// requests, which an upload of gigabytes is not good for.)
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/error.h"
#include "daemon/egress/http_head.h"

namespace codexos::daemon {

class HttpGuard {
 public:
  /// `name`: what Host must say, clean.
  explicit HttpGuard(std::string name) : name_(std::move(name)) {}
  /// Of requests inside TLS.
  void expect_https() { scheme_ = "https://"; }
  /// Sees and may change what is let pass; outlives it.
  void watched_by(RequestWatch* watch) { watch_ = watch; }

  /// Appends to `out` what may be sent on. Error denied: what is wrong; nothing more may be sent.
  Status feed(std::string_view bytes, std::string& out);
  /// The first bytes of the server's answer, while waits_for_answer(). Appends what was held back
  /// since. An answer of 101 to a request for an upgrade ends the guard's work.
  Status answered(std::string_view bytes, std::string& out);
  bool waits_for_answer() const { return state_ == State::upgrade; }
  /// Its watch waits: what is fed is kept.
  bool waits_for_watch() const { return state_ == State::waiting; }
  /// The watch waits no more. Errors as of feed().
  Status go_on(std::string& out);
  /// From now on bytes need not be shown to it.
  bool finished() const { return state_ == State::opaque; }

  static constexpr size_t kMaxHead = 64 << 10;
  static constexpr size_t kAnswerNeeded = 12;  // "HTTP/1.1 101"

 private:
  enum class State { head, body, chunk_size, chunk, chunk_end, trailers, upgrade, waiting, opaque };
  Status step(std::string_view& bytes, std::string& out);
  Status on_head(std::string_view head, std::string& out);
  Status check_target(const RequestHead& h) const;
  Status check_host(std::string_view authority) const;
  Status choose_body(const RequestHead& h);
  Status take_line(std::string_view& bytes, bool& whole);
  Status on_chunk_size();

  void pass(std::string_view bytes, std::string& out) const;
  void pass_line(std::string& out) const;
  void end_request(std::string& out);

  std::string name_;
  std::string_view scheme_ = "http://";
  RequestWatch* watch_ = nullptr;
  State state_ = State::head;
  std::string kept_;  // of a head or line that is not whole, or what waits for the answer
  uint64_t left_ = 0;
  size_t trailer_bytes_ = 0;
  bool first_ = true;
};

/// What the first bytes of a client are.
enum class FirstBytes {
  more,  // not known yet
  http,  // a request line of HTTP
  other,
};
/// At most kMaxFirstLine bytes are needed.
inline constexpr size_t kMaxFirstLine = 16 << 10;
FirstBytes first_bytes(std::string_view bytes);

}  // namespace codexos::daemon
