// SPDX-License-Identifier: Apache-2.0
#include "daemon/egress/http_guard.h"

#include <algorithm>
#include <charconv>
#include <utility>
#include <vector>

#include "core/base/quote.h"
#include "core/base/text.h"
#include "core/policy/host_name.h"

namespace codexos::daemon {
namespace {

Error denied(std::string why) { return {Code::denied, std::move(why), {}}; }

bool is_token_char(char c) {
  static constexpr std::string_view kMore = "!#$%&'*+-.^_`|~";
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         kMore.find(c) != std::string_view::npos;
}
bool is_token(std::string_view s) {
  return !s.empty() && std::all_of(s.begin(), s.end(), is_token_char);
}
bool is_visible(char c) { return static_cast<unsigned char>(c) > 0x20 && c != 0x7f; }

std::string_view trim(std::string_view s) {
  while (!s.empty() && (s.front() == ' ' || s.front() == '\t')) s.remove_prefix(1);
  while (!s.empty() && (s.back() == ' ' || s.back() == '\t')) s.remove_suffix(1);
  return s;
}

/// Lines end with CR LF, and neither stands alone.
bool has_stray_ending(std::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\0') return true;
    if (text[i] == '\r' && (i + 1 == text.size() || text[i + 1] != '\n')) return true;
    if (text[i] == '\n' && (i == 0 || text[i - 1] != '\r')) return true;
  }
  return false;
}

bool frames_messages(std::string_view name) {
  return name == "host" || name == "content-length" || name == "transfer-encoding";
}

/// What servers and gateways take for a field that says where a message ends, or take away.
Status check_framing(const RequestHead& h) {
  for (const HttpField& f : h.fields) {
    std::string name = f.name;
    std::replace(name.begin(), name.end(), '_', '-');
    if (name != f.name && frames_messages(name))
      return denied("a header that may be read as " + name);
    if (f.name != "connection") continue;
    for (const char* field : {"host", "content-length", "transfer-encoding", "authorization"})
      if (lists_token(f.value, field))
        return denied(std::string("a Connection header that takes ") + field + " away");
  }
  return {};
}

/// A server that takes trailers for headers (RFC 9110, 6.5.1) would see another host, or end.
bool belongs_into_head(std::string_view line) {
  const std::string name = to_lower(line.substr(0, line.find_first_of(": \t\r")));
  return frames_messages(name);
}

Status parse_request_line(std::string_view line, RequestHead& h) {
  h.line = line;
  const size_t first = line.find(' ');
  const size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return denied("a broken request line");
  h.method = line.substr(0, first);
  h.target = line.substr(first + 1, last - first - 1);
  h.version = line.substr(last + 1);
  if (!is_token(h.method) || h.target.empty() ||
      !std::all_of(h.target.begin(), h.target.end(), is_visible))
    return denied("a broken request line");
  if (h.version != "HTTP/1.1" && h.version != "HTTP/1.0")
    return denied("HTTP is understood here in version 1 only, so that the host can be checked");
  return {};
}

Status parse_field(std::string_view line, RequestHead& h) {
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon)))
    return denied("a broken header line");  // also a folded one
  h.fields.push_back({to_lower(line.substr(0, colon)), trim(line.substr(colon + 1)), line});
  return {};
}

}  // namespace

bool lists_token(std::string_view value, std::string_view wanted) {
  const std::string text = to_lower(value);
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    std::string_view one = trim(std::string_view(text).substr(begin, end - begin));
    if (one.substr(0, one.find('/')) == wanted) return true;
    begin = end + 1;
  }
  return false;
}

Status HttpGuard::check_host(std::string_view authority) const {
  std::string_view host = authority;
  if (const size_t colon = host.rfind(':'); colon != std::string_view::npos) {
    const std::string_view digits = host.substr(colon + 1);
    if (!std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; }))
      return denied("the Host header says " + quote_git(authority) + ", not " + name_);
    host = host.substr(0, colon);
  }
  const auto clean = clean_host_name(host);
  if (!clean.ok() || *clean != name_)
    return denied("the request is for host " + quote_git(host.substr(0, 253)) + ", not " + name_);
  return {};
}

Status HttpGuard::check_target(const RequestHead& h) const {
  if (h.method == "CONNECT") return denied("a request to a proxy: CONNECT");
  if (h.target.front() == '/' || h.target == "*") return {};
  if (to_lower(h.target.substr(0, scheme_.size())) != scheme_)
    return denied("a request to a proxy, for " + quote_git(h.target.substr(0, 253)));
  const std::string_view rest = h.target.substr(scheme_.size());
  return check_host(rest.substr(0, rest.find_first_of("/?#")));
}

Status HttpGuard::choose_body(const RequestHead& h) {
  const size_t lengths = h.count("content-length");
  if (const size_t n = h.count("transfer-encoding"); n != 0) {
    if (n != 1 || lengths != 0 || h.version != "HTTP/1.1" ||
        to_lower(h.value("transfer-encoding")) != "chunked")
      return denied("a body whose length two programs could read differently");
    state_ = State::chunk_size;
    return {};
  }
  left_ = 0;
  if (lengths > 1) return denied("more than one Content-Length");
  if (lengths == 1) {
    const std::string_view digits = h.value("content-length");
    constexpr size_t kDigits = 18;
    const auto [end, bad] = std::from_chars(digits.data(), digits.data() + digits.size(), left_);
    if (digits.empty() || digits.size() > kDigits || bad != std::errc() ||
        end != digits.data() + digits.size())
      return denied("a Content-Length that is no number");
  }
  state_ = left_ == 0 ? State::head : State::body;
  if (h.count("upgrade") == 0) return {};
  if (lists_token(h.value("upgrade"), "h2c") || h.count("upgrade") > 1)
    return denied("an upgrade to HTTP/2 without TLS, where the host cannot be checked");
  if (!first_ || left_ != 0) return denied("an upgrade that is not the first request");
  state_ = State::upgrade;
  return {};
}

void HttpGuard::pass(std::string_view bytes, std::string& out) const {
  if (watch_ != nullptr)
    watch_->on_body(bytes, out);
  else
    out.append(bytes);
}

/// kept_ frames a chunk, or stands behind them.
void HttpGuard::pass_line(std::string& out) const {
  if (watch_ != nullptr && watch_->takes_whole()) return;
  // What frames chunks would cut a placeholder that goes from one into the next.
  if (state_ == State::trailers || state_ == State::head)
    pass(kept_, out);
  else
    out += kept_;
}

/// All of a request was seen.
void HttpGuard::end_request(std::string& out) {
  if (state_ != State::head || watch_ == nullptr || !watch_->takes_whole()) return;
  watch_->on_whole(out);
  if (watch_->waits()) state_ = State::waiting;
}

/// Appends to `out` what is to be sent.
Status HttpGuard::on_head(std::string_view head, std::string& out) {
  if (has_stray_ending(head)) return denied("a control character in a request");
  const std::string_view whole = head;
  RequestHead h;
  bool request_line = true;
  while (!head.empty()) {
    const size_t end = head.find("\r\n");
    const std::string_view line = head.substr(0, end);
    head.remove_prefix(end + 2);
    if (line.empty()) break;
    if (request_line) {
      CODEXOS_TRY(parse_request_line(line, h));
    } else {
      CODEXOS_TRY(parse_field(line, h));
    }
    request_line = false;
  }
  if (request_line) return denied("a broken request line");
  CODEXOS_TRY(check_framing(h));
  CODEXOS_TRY(check_target(h));
  const size_t hosts = h.count("host");
  if (hosts > 1 || (hosts == 0 && h.version == "HTTP/1.1"))
    return denied(hosts == 0 ? "a request without a Host header" : "more than one Host header");
  if (hosts == 1) CODEXOS_TRY(check_host(h.value("host")));
  CODEXOS_TRY(choose_body(h));
  first_ = false;
  if (watch_ != nullptr)
    watch_->on_head(h, out);
  else
    out += whole;
  return {};
}

/// Moves a line, with its ending, into kept_; `whole` when it has ended.
Status HttpGuard::take_line(std::string_view& bytes, bool& whole) {
  const size_t end = bytes.find('\n');
  const size_t n = end == std::string_view::npos ? bytes.size() : end + 1;
  kept_.append(bytes.substr(0, n));
  bytes.remove_prefix(n);
  whole = end != std::string_view::npos;
  constexpr size_t kMaxLine = 8 << 10;
  if (kept_.size() > kMaxLine) return denied("a line that is too long");
  if (whole && has_stray_ending(kept_)) return denied("a control character in a request");
  return {};
}

Status HttpGuard::on_chunk_size() {
  std::string_view line(kept_);
  line.remove_suffix(2);
  const std::string_view digits = line.substr(0, line.find_first_of(" \t;"));
  constexpr size_t kDigits = 15;
  const auto [end, bad] = std::from_chars(digits.data(), digits.data() + digits.size(), left_, 16);
  if (digits.empty() || digits.size() > kDigits || bad != std::errc() ||
      end != digits.data() + digits.size())
    return denied("a chunk whose size is no number");
  state_ = left_ == 0 ? State::trailers : State::chunk;
  trailer_bytes_ = 0;
  return {};
}

Status HttpGuard::step(std::string_view& bytes, std::string& out) {
  bool whole = false;
  switch (state_) {
    case State::head: {
      if (kept_.empty() && (bytes.front() == '\r' || bytes.front() == '\n')) {
        bytes.remove_prefix(1);  // empty lines between requests mean nothing, and are not sent on
        return {};
      }
      const size_t before = kept_.size();
      kept_.append(bytes.substr(0, kMaxHead + 1));
      const size_t end = kept_.find("\r\n\r\n", before < 3 ? 0 : before - 3);
      // Servers that take bare LF would see the head end where we do not.
      if (end == std::string::npos) {
        if (kept_.size() > kMaxHead) return denied("a request head of more than 64 KiB");
        bytes.remove_prefix(bytes.size());
        std::string_view fresh = std::string_view(kept_).substr(before == 0 ? 0 : before - 1);
        if (fresh.front() == '\n') fresh.remove_prefix(1);  // looked at before
        if (!fresh.empty() && fresh.back() == '\r') fresh.remove_suffix(1);
        if (has_stray_ending(fresh)) return denied("a control character in a request");
        return {};
      }
      const size_t size = end + 4;
      bytes.remove_prefix(size - before);
      kept_.resize(size);
      CODEXOS_TRY(on_head(kept_, out));
      kept_.clear();
      end_request(out);
      return {};
    }
    case State::body:
    case State::chunk: {
      const size_t n = static_cast<size_t>(std::min<uint64_t>(left_, bytes.size()));
      pass(bytes.substr(0, n), out);
      bytes.remove_prefix(n);
      left_ -= n;
      if (left_ == 0) state_ = state_ == State::body ? State::head : State::chunk_end;
      end_request(out);
      return {};
    }
    case State::chunk_size:
    case State::chunk_end:
    case State::trailers:
      CODEXOS_TRY(take_line(bytes, whole));
      if (!whole) return {};
      if (state_ == State::chunk_size) {
        CODEXOS_TRY(on_chunk_size());
      } else if (state_ == State::chunk_end) {
        if (kept_ != "\r\n") return denied("a chunk that is longer than it said");
        state_ = State::chunk_size;
      } else if (kept_ == "\r\n") {
        state_ = State::head;
      } else if (belongs_into_head(kept_)) {
        return denied("a field behind the body that belongs into the head");
      } else if (RequestHead trailer;
                 !parse_field(std::string_view(kept_).substr(0, kept_.size() - 2), trailer).ok()) {
        return denied("a broken line behind a body in chunks");
      } else if ((trailer_bytes_ += kept_.size()) > kMaxHead) {
        return denied("trailers of more than 64 KiB");
      }
      pass_line(out);
      kept_.clear();
      end_request(out);
      return {};
    case State::waiting:
    case State::upgrade:
      kept_.append(bytes);
      bytes.remove_prefix(bytes.size());
      if (kept_.size() > kMaxHead) return denied("data before the answer that it has to wait for");
      return {};
    case State::opaque:
      pass(bytes, out);
      bytes.remove_prefix(bytes.size());
      return {};
  }
  return {};
}

Status HttpGuard::feed(std::string_view bytes, std::string& out) {
  while (!bytes.empty()) CODEXOS_TRY(step(bytes, out));
  return {};
}

Status HttpGuard::answered(std::string_view bytes, std::string& out) {
  const std::string_view first = bytes.substr(0, kAnswerNeeded);
  const bool switched = first == "HTTP/1.1 101" || first == "HTTP/1.0 101";
  state_ = switched ? State::opaque : State::head;
  const std::string held = std::move(kept_);
  kept_.clear();
  return feed(held, out);
}

Status HttpGuard::go_on(std::string& out) {
  state_ = State::head;
  const std::string held = std::exchange(kept_, {});
  return feed(held, out);
}

FirstBytes first_bytes(std::string_view bytes) {
  std::string_view rest = bytes;
  while (!rest.empty() && (rest.front() == '\r' || rest.front() == '\n')) rest.remove_prefix(1);
  const size_t end = rest.find('\n');
  const std::string_view line = rest.substr(0, end);
  for (const char c : line)  // no request line holds these, however lenient a server is
    if (static_cast<unsigned char>(c) < 0x20 && c != '\r' && c != '\t') return FirstBytes::other;
  if (end == std::string_view::npos)
    return bytes.size() >= kMaxFirstLine ? FirstBytes::other : FirstBytes::more;
  return to_lower(line).find("http/") != std::string::npos ? FirstBytes::http : FirstBytes::other;
}

}  // namespace codexos::daemon
