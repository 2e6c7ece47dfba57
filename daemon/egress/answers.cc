// SPDX-License-Identifier: Apache-2.0
#include "daemon/egress/answers.h"

#include <charconv>
#include <utility>
#include <vector>

#include "core/base/text.h"

namespace codexos::daemon {
namespace {

constexpr size_t kMaxAnswerHead = 256 << 10;
constexpr size_t kMaxTokens = 256 << 10;
constexpr size_t kMaxChunkLine = 8 << 10;
constexpr size_t kStatusBytes = 12;  // "HTTP/1.1 200"

Error no_http(std::string why) {
  return {Code::unavailable, "the server's answer: " + std::move(why), {}};
}

Error too_long() { return {Code::denied, "an answer with new tokens of more than 256 KiB", {}}; }

std::string_view without_ending(std::string_view line) {
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.remove_suffix(1);
  return line;
}

std::string_view trimmed_value(std::string_view s) {
  const size_t from = s.find_first_not_of(" \t");
  if (from == std::string_view::npos) return {};
  return s.substr(from, s.find_last_not_of(" \t") - from + 1);
}

template <class N>
bool read_number(std::string_view digits, N& out, int base) {
  constexpr size_t kDigits = 15;
  const auto [end, bad] = std::from_chars(digits.data(), digits.data() + digits.size(), out, base);
  return !digits.empty() && digits.size() <= kDigits && bad == std::errc() &&
         end == digits.data() + digits.size();
}

/// The length of a head at the beginning of `text`, or npos.
size_t head_size(std::string_view text, size_t from) {
  for (size_t at = text.find('\n', from); at != std::string_view::npos;
       at = text.find('\n', at + 1)) {
    if (text.substr(at + 1, 1) == "\n") return at + 2;
    if (text.substr(at + 1, 2) == "\r\n") return at + 3;
  }
  return std::string_view::npos;
}

}  // namespace

struct Answers::Head {
  int status = 0;
  std::vector<HttpField> fields;

  /// All values of that name, as one list.
  std::string list(std::string_view name) const {
    std::string all;
    for (const auto& f : fields)
      if (f.name == name) all += (all.empty() ? "" : ", ") + to_lower(f.value);
    return all;
  }
};

std::string Answers::redacted(std::string_view text) {
  if (!values_) return std::string(text);
  Redactor::Stream s(*values_, call_.found);
  std::string out;
  s.feed(text, out);
  s.finish(out);
  return out;
}

void Answers::add_chunk(std::string_view bytes, std::string& out) {
  if (bytes.empty()) return;
  char size[24];
  const auto [end, bad] = std::to_chars(size, size + sizeof size, bytes.size(), 16);
  out.append(size, static_cast<size_t>(end - size)).append("\r\n").append(bytes).append("\r\n");
}

/// Of a body: searched, and in a chunk of its own when it came in chunks.
Status Answers::pass(std::string_view bytes, std::string& out) {
  if (held_) {
    held_->body.append(bytes);
    return held_->body.size() <= kMaxTokens ? Status() : too_long();
  }
  std::string clean;
  if (body_) {
    body_->feed(bytes, clean);
    bytes = clean;
  }
  if (metered_ && !bytes.empty()) metered_->on_body(bytes);
  if (state_ == State::chunk)
    add_chunk(bytes, out);
  else
    out += bytes;
  return {};
}

Status Answers::finish_body(std::string& out) {
  if (held_) return release(out);
  std::string last;
  if (body_) body_->finish(last);
  if (state_ == State::chunk_size)
    add_chunk(last, out);
  else
    out += last;
  if (metered_ && !last.empty()) metered_->on_body(last);
  if (const auto call = std::exchange(metered_, nullptr)) call->on_end();
  return {};
}

void Answers::begin_metered(const Head& h, const AskedRequest& asked) {
  metered_ = asked.metered;
  if (!metered_) return;
  metered_->on_head(h.status, h.list("content-type"));
  if (state_ == State::head) std::exchange(metered_, nullptr)->on_end();  // it has no body
}

void Answers::hold(const Head& h, uint32_t exchange) {
  Held held;
  held.exchange = exchange;
  const std::string_view text(kept_);
  held.head = redacted(without_ending(text.substr(0, text.find('\n')))) + "\r\n";
  for (const HttpField& f : h.fields)
    if (f.name != "content-length" && f.name != "transfer-encoding" && f.name != "trailer")
      held.head += redacted(f.line) + "\r\n";
  held_ = std::move(held);
}

/// The held answer is whole.
Status Answers::release(std::string& out) {
  silent_ = state_ == State::chunk_size;
  auto body = call_.on_tokens(held_->exchange, held_->body);
  wipe(held_->body);
  if (!body.ok()) return std::move(body).error();
  values_ = call_.values();  // the new tokens are among them
  const std::string clean = redacted(*body);
  out += held_->head + "Content-Length: " + std::to_string(clean.size()) + "\r\n\r\n" + clean;
  held_.reset();
  return {};
}

/// Moves a line into kept_; true when it has ended. Bare LF ends it too, as with every client.
bool Answers::take_line(std::string_view& bytes) {
  const size_t end = bytes.find('\n');
  const size_t n = end == std::string_view::npos ? bytes.size() : end + 1;
  kept_.append(bytes.substr(0, n));
  bytes.remove_prefix(n);
  return end != std::string_view::npos;
}

Status Answers::choose_body(const Head& h, const AskedRequest& asked) {
  constexpr int kNoContent = 204, kNotModified = 304;
  left_ = 0;
  state_ = State::head;
  if (asked.head || h.status == kNoContent || h.status == kNotModified) return {};
  const std::string coding = h.list("transfer-encoding"), encoding = h.list("content-encoding");
  const bool compressed =
      (!coding.empty() && coding != "chunked") || (!encoding.empty() && encoding != "identity");
  if (asked.with_value && compressed)
    return Error{Code::denied,
                 "the server compressed its answer, though it was asked not to, so that it cannot "
                 "be searched for the secret",
                 {}};
  if (!coding.empty()) {
    // Whatever else it is, only its end tells where a coding ends that is not "chunked" at last.
    state_ = lists_token(coding.substr(coding.rfind(',') + 1), "chunked") ? State::chunk_size
                                                                          : State::rest;
    return {};
  }
  bool has_length = false;
  for (const auto& f : h.fields) {
    if (f.name != "content-length") continue;
    uint64_t length = 0;
    if (!read_number(f.value, length, 10) || (has_length && length != left_))
      return no_http("its Content-Length");
    has_length = true;
    left_ = length;
  }
  state_ = !has_length ? State::rest : left_ == 0 ? State::head : State::body;
  return {};
}

/// kept_ is a whole head.
Status Answers::on_head(std::string& out) {
  constexpr int kSwitching = 101, kFirstFinal = 200, kFirstRedirect = 300;
  const std::string_view text(kept_);
  Head h;
  if (text.size() < kStatusBytes || text.substr(0, 7) != "HTTP/1." || text[8] != ' ' ||
      !read_number(text.substr(9, 3), h.status, 10))
    return no_http("no status line of HTTP/1.1");
  for (size_t at = text.find('\n') + 1; at < text.size();) {
    const size_t end = text.find('\n', at);
    const std::string_view line = without_ending(text.substr(at, end - at));
    at = end + 1;
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    h.fields.push_back({to_lower(trimmed_value(line.substr(0, colon))),
                        trimmed_value(line.substr(colon + 1)), line});
  }
  if (asked_.empty()) return no_http("nobody had asked");
  const AskedRequest asked = asked_.front();  // a copy: it goes
  const bool final = h.status >= kFirstFinal || h.status == kSwitching;
  if (h.status == kSwitching && !asked.upgrade) return no_http("an upgrade that nobody asked for");
  if (final && h.status != kSwitching) CODEXOS_TRY(choose_body(h, asked));
  if (h.status == kSwitching) state_ = State::opaque;
  if (final) asked_.pop_front();
  if (final && asked.upgrade) CODEXOS_TRY(call_.on_upgrade(text.substr(0, kStatusBytes)));
  body_.reset();
  values_ = call_.values();
  if (values_ && values_->empty()) values_ = nullptr;
  if (final) begin_metered(h, asked);
  const bool success = h.status >= kFirstFinal && h.status < kFirstRedirect;
  if (success && asked.exchange >= 0 && state_ != State::head) {
    hold(h, static_cast<uint32_t>(asked.exchange));
    return {};
  }
  if (values_) body_.emplace(*values_, call_.found);
  out += redacted(kept_);
  return {};
}

/// kept_ is a whole line, of what frames chunks or behind them.
Status Answers::on_line(std::string& out) {
  const std::string_view line = without_ending(kept_);
  if (state_ == State::chunk_size) {
    if (!read_number(trimmed_value(line.substr(0, line.find(';'))), left_, 16))
      return no_http("the size of a chunk");
    if (left_ == 0) {
      CODEXOS_TRY(finish_body(out));
      if (!silent_) out += "0\r\n";
    }
    state_ = left_ == 0 ? State::trailers : State::chunk;
    trailer_bytes_ = 0;
  } else if (state_ == State::chunk_end) {
    if (!line.empty()) return no_http("a chunk that is longer than it said");
    state_ = State::chunk_size;
  } else {
    if ((trailer_bytes_ += kept_.size()) > kMaxAnswerHead) return no_http("too many trailers");
    if (!silent_) out += redacted(line) + "\r\n";
    if (line.empty()) {
      state_ = State::head;
      silent_ = false;
    }
  }
  kept_.clear();
  return {};
}

Status Answers::step(std::string_view& bytes, std::string& out) {
  switch (state_) {
    case State::head: {
      const size_t before = kept_.size();
      kept_.append(bytes.substr(0, kMaxAnswerHead + 1));
      const size_t size = head_size(kept_, before < 3 ? 0 : before - 3);
      if (size == std::string_view::npos) {
        if (kept_.size() > kMaxAnswerHead) return no_http("a head of more than 256 KiB");
        bytes.remove_prefix(bytes.size());
        return {};
      }
      bytes.remove_prefix(size - before);
      kept_.resize(size);
      auto s = on_head(out);
      if (!s.ok()) state_ = State::head;
      kept_.clear();
      return s;
    }
    case State::body:
    case State::chunk: {
      const size_t n = static_cast<size_t>(std::min<uint64_t>(left_, bytes.size()));
      CODEXOS_TRY(pass(bytes.substr(0, n), out));
      bytes.remove_prefix(n);
      left_ -= n;
      if (left_ != 0) return {};
      if (state_ == State::body) CODEXOS_TRY(finish_body(out));
      state_ = state_ == State::body ? State::head : State::chunk_end;
      return {};
    }
    case State::chunk_size:
    case State::chunk_end:
    case State::trailers: {
      const bool whole = take_line(bytes);
      const size_t most = state_ == State::trailers ? kMaxAnswerHead : kMaxChunkLine;
      if (kept_.size() > most) return no_http("a line that is too long");
      return whole ? on_line(out) : Status();
    }
    case State::rest:
    case State::opaque:
      CODEXOS_TRY(pass(bytes, out));
      bytes.remove_prefix(bytes.size());
      return {};
  }
  return {};
}

Status Answers::feed(std::string_view bytes, std::string& out) {
  while (!bytes.empty()) CODEXOS_TRY(step(bytes, out));
  return {};
}

Status Answers::end(std::string& out) {
  // Tokens of an answer that was cut short are not known, and nothing of it is passed on.
  if (held_ && state_ != State::rest) return no_http("it was cut short");
  if (metered_ && state_ != State::rest) std::exchange(metered_, nullptr)->on_cut();
  if (state_ == State::chunk) state_ = State::chunk_size;
  return finish_body(out);
}

}  // namespace codexos::daemon
