// SPDX-License-Identifier: Apache-2.0
// Follows the answers of an HTTP/1.1 connection (RFC 9112, 6.3) that the daemon speaks itself, so
// that a secret's value in them is overwritten, wherever a server cut it into pieces: heads, bodies
// and trailers go through a redactor, chunks are made anew. Every byte that may be passed on is
// passed on at once; only an answer that gives tokens is held back until it is whole, and then
// another one takes its place.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
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
  /// The body of an answer to a request for tokens: what the client gets instead of it.
  using OnTokens = std::function<Result<std::string>(uint32_t exchange, std::string_view body)>;
  /// What is searched for in the next answer; null: nothing.
  using Values = std::function<std::shared_ptr<const Redactor>()>;

  struct Calls {
    Values values;
    Redactor::Stream::OnFound found;
    OnUpgrade on_upgrade;
    OnTokens on_tokens;
  };
  /// `asked` outlives it.
  Answers(AskedQueue& asked, Calls calls) : asked_(asked), call_(std::move(calls)) {}

  /// Appends to `out` what may be sent on. Error denied: it could not be searched; unavailable: it
  /// is no HTTP. Where the error was in the head, nothing of that answer was passed on.
  Status feed(std::string_view bytes, std::string& out);
  /// The server has ended: what was held back is passed on. Errors as of feed().
  Status end(std::string& out);
  /// Nothing of an answer was passed on that goes on: one of ours would be understood.
  bool idle() const { return state_ == State::head || held_; }
  /// An answer has begun of which nothing was passed on.
  bool holds() const { return held_.has_value(); }

 private:
  enum class State { head, body, chunk_size, chunk, chunk_end, trailers, rest, opaque };
  struct Head;
  /// An answer that gives tokens.
  struct Held {
    uint32_t exchange = 0;
    std::string head;  // without its length, its coding and its last line
    std::string body;
  };
  Status step(std::string_view& bytes, std::string& out);
  Status on_head(std::string& out);
  Status choose_body(const Head& h, const AskedRequest& asked);
  Status on_line(std::string& out);
  bool take_line(std::string_view& bytes);
  Status pass(std::string_view bytes, std::string& out);
  Status finish_body(std::string& out);
  void hold(const Head& h, uint32_t exchange);
  Status release(std::string& out);
  void begin_metered(const Head& h, const AskedRequest& asked);
  void add_chunk(std::string_view bytes, std::string& out);
  std::string redacted(std::string_view text);

  AskedQueue& asked_;
  Calls call_;
  std::shared_ptr<const Redactor> values_;  // of this answer
  std::optional<Held> held_;
  std::shared_ptr<MeteredCall> metered_;  // of this answer; null: nobody counts
  bool silent_ = false;  // what comes behind the chunks of a held body goes nowhere
  State state_ = State::head;
  std::string kept_;
  uint64_t left_ = 0;
  size_t trailer_bytes_ = 0;
  std::optional<Redactor::Stream> body_;
};

}  // namespace codexos::daemon
