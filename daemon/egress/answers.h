// SPDX-License-Identifier: Apache-2.0
// Follows the answers of an HTTP/1.1 connection (RFC 9112, 6.3) that the daemon speaks itself, so
// that a secret's value in them is overwritten, wherever a server cut it into pieces: heads, bodies
// and trailers go through a redactor, chunks are made anew. Every byte that may be passed on is
// passed on at once.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/error.h"
#include "core/base/redactor.h"
#include "daemon/egress/injector.h"

namespace codexos::daemon {

class Answers {
 public:
  /// Of the first bytes of a final answer to a request for an upgrade. An error: as of feed().
  using OnUpgrade = std::function<Status(std::string_view first_bytes)>;

  /// `values`: null: nothing is searched for. `asked` outlives it.
  Answers(const Redactor* values, AskedQueue& asked, Redactor::Stream::OnFound found,
          OnUpgrade on_upgrade);

  /// Appends to `out` what may be sent on. Error denied: it could not be searched; unavailable: it
  /// is no HTTP. Where the error was in the head, nothing of that answer was passed on.
  Status feed(std::string_view bytes, std::string& out);
  /// The server has ended: what was held back is passed on.
  void end(std::string& out);
  /// Nothing of an answer was passed on that goes on: one of ours would be understood.
  bool idle() const { return state_ == State::head; }

 private:
  enum class State { head, body, chunk_size, chunk, chunk_end, trailers, rest, opaque };
  struct Head;
  Status step(std::string_view& bytes, std::string& out);
  Status on_head(std::string& out);
  Status choose_body(const Head& h, const AskedRequest& asked);
  Status on_line(std::string& out);
  bool take_line(std::string_view& bytes);
  void pass(std::string_view bytes, std::string& out);
  void finish_body(std::string& out);
  void add_chunk(std::string_view bytes, std::string& out);
  std::string redacted(std::string_view text);

  const Redactor* values_;
  AskedQueue& asked_;
  Redactor::Stream::OnFound found_;
  OnUpgrade on_upgrade_;
  State state_ = State::head;
  std::string kept_;
  uint64_t left_ = 0;
  size_t trailer_bytes_ = 0;
  std::optional<Redactor::Stream> body_;
};

}  // namespace codexos::daemon
