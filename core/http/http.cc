// SPDX-License-Identifier: Apache-2.0
// The home of Boost.Beast: only its basic_parser is used, fed with bytes; none of its sockets,
// buffers or message containers. Names follow RFC 9112 (framing) and RFC 3986 (targets).
#include "core/http/http.h"

// Beast 1.74 asserts that five bytes are there when the end of a chunked body comes in pieces, and
// goes on rightly when there are four: a peer would stop the process. Its other assertions go too.
#define BOOST_DISABLE_ASSERTS

#include <algorithm>
#include <array>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <utility>

#include "core/base/text.h"

namespace codexos::http {
namespace {

namespace beast = boost::beast;
using beast::error_code;

std::string lower(beast::string_view s) { return to_lower({s.data(), s.size()}); }

/// A repeated header becomes one list (RFC 9110 section 5.3).
void add_header(Headers& headers, beast::string_view name, beast::string_view value) {
  std::string& known = headers.map[lower(name)];
  if (!known.empty()) known += ", ";
  known.append(value.data(), value.size());
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

Error bad_request(std::string what) { return Error{Code::invalid, std::move(what), {}}; }

Result<std::string> percent_decode(std::string_view s) {
  std::string out;
  for (size_t i = 0; i < s.size(); ++i) {
    if (s[i] != '%') {
      out.push_back(s[i]);
      continue;
    }
    const int high = i + 2 < s.size() ? hex_digit(s[i + 1]) : -1;
    const int low = i + 2 < s.size() ? hex_digit(s[i + 2]) : -1;
    if (high < 0 || low < 0) return bad_request("malformed percent-encoding in the target");
    out.push_back(static_cast<char>(high * 16 + low));
    i += 2;
  }
  if (out.find('\0') != std::string::npos) return bad_request("NUL in the target");
  return out;
}

Result<std::map<std::string, std::string>> parse_query(std::string_view s) {
  std::map<std::string, std::string> out;
  while (!s.empty()) {
    const size_t end = s.find('&');
    const std::string_view pair = s.substr(0, end);
    s.remove_prefix(end == std::string_view::npos ? s.size() : end + 1);
    if (pair.empty()) continue;
    const size_t equals = pair.find('=');
    CODEXOS_ASSIGN(std::string name, percent_decode(pair.substr(0, equals)));
    std::string value;
    if (equals != std::string_view::npos) {
      CODEXOS_ASSIGN(value, percent_decode(pair.substr(equals + 1)));
    }
    if (!out.emplace(name, std::move(value)).second)
      return bad_request("query parameter \"" + name + "\" is given twice");
  }
  return out;
}

/// Origin form only (RFC 9112 section 3.2.1). An encoded slash is refused: it would change which
/// route a path means.
Status parse_target(std::string_view target, Request& r) {
  if (target.empty() || target.front() != '/')
    return bad_request("the target must be a path that begins with /");
  target = target.substr(0, target.find('#'));
  const size_t mark = target.find('?');
  const std::string_view path = target.substr(0, mark);
  for (size_t at = path.find('%'); at != std::string_view::npos; at = path.find('%', at + 1))
    if (path.substr(at, 3) == "%2f" || path.substr(at, 3) == "%2F")
      return bad_request("encoded slash in the path");
  CODEXOS_ASSIGN(r.path, percent_decode(path));
  if (mark != std::string_view::npos) {
    CODEXOS_ASSIGN(r.query, parse_query(target.substr(mark + 1)));
  }
  return {};
}

/// What requests and responses have in common: the callbacks of Beast's parser, and feeding it from
/// a buffer of bytes that it has not consumed yet.
template <bool is_request>
class Parser : public beast::http::basic_parser<is_request> {
 public:
  Parser() {
    this->header_limit(kMaxHead);
    this->body_limit(kMaxBody);
    this->eager(true);
  }

  /// Parses as much of `bytes` as it can and removes it. Returns Beast's error, need_more excepted.
  error_code consume(std::string& bytes) {
    size_t used = 0;
    error_code ec;
    while (!this->is_done() && used < bytes.size()) {
      const size_t n =
          this->put(boost::asio::const_buffer(bytes.data() + used, bytes.size() - used), ec);
      used += n;
      if (ec || n == 0) break;
    }
    bytes.erase(0, used);
    return ec == beast::http::error::need_more ? error_code{} : ec;
  }

  std::string method;
  std::string target;
  int status = 0;
  Headers headers;
  std::string body;
  std::function<void(std::string_view)> on_body;

 private:
  void on_request_impl(beast::http::verb, beast::string_view verb, beast::string_view t, int,
                       error_code&) override {
    method.assign(verb.data(), verb.size());
    target.assign(t.data(), t.size());
  }
  void on_response_impl(int code, beast::string_view, int, error_code&) override { status = code; }
  void on_field_impl(beast::http::field, beast::string_view name, beast::string_view value,
                     error_code&) override {
    if (!head_done_) add_header(headers, name, value);  // trailers are no headers (RFC 9110, 6.5.1)
  }
  void on_header_impl(error_code&) override { head_done_ = true; }
  void on_body_init_impl(const boost::optional<uint64_t>&, error_code&) override {}
  size_t on_body_impl(beast::string_view piece, error_code&) override {
    if (on_body) {
      on_body(std::string_view(piece.data(), piece.size()));
    } else {
      body.append(piece.data(), piece.size());
    }
    return piece.size();
  }
  void on_chunk_header_impl(uint64_t, beast::string_view, error_code&) override {}
  size_t on_chunk_body_impl(uint64_t, beast::string_view piece, error_code& ec) override {
    return on_body_impl(piece, ec);
  }
  void on_finish_impl(error_code&) override {}

  bool head_done_ = false;
};

}  // namespace

std::string_view Headers::find(std::string_view lower_name) const {
  const auto it = map.find(std::string(lower_name));
  return it == map.end() ? std::string_view{} : std::string_view(it->second);
}

// --- requests ---

struct RequestParser::Impl {
  std::string bytes;  // not consumed yet
  std::optional<Parser<true>> parser;
  std::optional<Request> ready;
  bool continue_asked = false;
  int error_status = 0;
  std::string error_text;

  Error fail(int status, std::string text) {
    error_status = status;
    error_text = std::move(text);
    return error();
  }
  Error error() const {
    return Error{error_status == 400 ? Code::invalid : Code::exhausted, error_text, {}};
  }
  Error fail(const error_code& ec) {
    if (ec == beast::http::error::header_limit) return fail(431, "the request's head is too large");
    if (ec == beast::http::error::body_limit) return fail(413, "the request's body is too large");
    return fail(400, "malformed request: " + ec.message());
  }

  /// Goes on with the current request until it is ready or more bytes are needed.
  Status advance() {
    if (error_status != 0) return error();
    if (ready || bytes.empty()) return {};
    if (!parser) parser.emplace();
    const bool head_was_done = parser->is_header_done();
    if (const error_code ec = parser->consume(bytes)) return fail(ec);
    if (!head_was_done && parser->is_header_done() && !parser->is_done())
      continue_asked = lower(std::string(parser->headers.find("expect"))) == "100-continue";
    if (parser->is_done()) return finish();
    return {};
  }

  Status finish() {
    Request r;
    if (auto target = parse_target(parser->target, r); !target.ok())
      return fail(400, target.error().message);
    r.method = std::move(parser->method);
    r.headers = std::move(parser->headers);
    r.body = std::exchange(parser->body, {});
    r.keep_alive = parser->keep_alive();
    parser.reset();
    continue_asked = false;
    ready = std::move(r);
    return {};
  }
};

RequestParser::RequestParser() : impl_(std::make_unique<Impl>()) {}
RequestParser::~RequestParser() = default;
RequestParser::RequestParser(RequestParser&&) noexcept = default;
RequestParser& RequestParser::operator=(RequestParser&&) noexcept = default;

Status RequestParser::feed(std::string_view bytes) {
  impl_->bytes.append(bytes);
  return impl_->advance();
}

Result<std::optional<Request>> RequestParser::next() {
  CODEXOS_TRY(impl_->advance());
  return std::exchange(impl_->ready, std::nullopt);
}

int RequestParser::error_status() const { return impl_->error_status; }

bool RequestParser::take_continue() { return std::exchange(impl_->continue_asked, false); }

bool RequestParser::has_bytes() const { return impl_->ready || !impl_->bytes.empty(); }

// --- responses ---

/// Boost 1.74 takes boost::none for less than any content-length.
constexpr uint64_t kNoLimit = UINT64_MAX;

struct ResponseParser::Impl {
  std::string bytes;
  std::optional<Parser<false>> parser{std::in_place};
  std::function<void(std::string_view)> on_body;
  Response response;
  bool head_done = false;
  bool done = false;

  void restart() {
    parser.emplace();
    parser->on_body = on_body;
  }
  void take_head() {
    head_done = true;
    response.status = parser->status;
    response.headers = parser->headers;
    response.keep_alive = parser->keep_alive();
  }
  void take_body() {
    done = true;
    response.body = std::exchange(parser->body, {});
  }
};

ResponseParser::ResponseParser() : impl_(std::make_unique<Impl>()) {}
ResponseParser::~ResponseParser() = default;
ResponseParser::ResponseParser(ResponseParser&&) noexcept = default;

void ResponseParser::stream_body(std::function<void(std::string_view)> on_body) {
  impl_->on_body = std::move(on_body);
  impl_->parser->on_body = impl_->on_body;
  // A stream has no end by size; what was decided for whole bodies does not hold.
  impl_->parser->body_limit(kNoLimit);
}

Result<size_t> ResponseParser::feed(std::string_view bytes) {
  Impl& s = *impl_;
  if (s.done) return size_t{0};
  s.bytes.append(bytes);
  while (!s.done && !s.bytes.empty()) {
    const error_code ec = s.parser->consume(s.bytes);
    if (ec) return Error{Code::unavailable, "malformed response: " + ec.message(), {}};
    if (!s.parser->is_header_done()) break;
    const bool interim = s.parser->status / 100 == 1 && s.parser->status != 101;
    if (interim) {
      s.restart();
      if (s.on_body) s.parser->body_limit(kNoLimit);
      continue;
    }
    if (!s.head_done) s.take_head();
    if (!s.parser->is_done()) break;
    s.take_body();
  }
  if (!s.done) return bytes.size();
  // What lies behind the response is the caller's; it came with this piece, since the parser holds
  // back no more than an unfinished head.
  const size_t rest = std::min(std::exchange(s.bytes, {}).size(), bytes.size());
  return bytes.size() - rest;
}

bool ResponseParser::head_done() const { return impl_->head_done; }
bool ResponseParser::done() const { return impl_->done; }
const Response& ResponseParser::response() const { return impl_->response; }

Status ResponseParser::finish() {
  Impl& s = *impl_;
  if (s.done) return {};
  const Error cut{
      Code::unavailable, "the connection was closed before the response was complete", {}};
  if (!s.head_done) return cut;
  error_code ec;
  s.parser->put_eof(ec);
  if (ec || !s.parser->is_done()) return cut;
  s.take_body();
  return {};
}

// --- writing ---

namespace {

/// A line break in a value would begin a header of the attacker's choice.
void write_headers(std::string& out, const Headers& headers) {
  for (const auto& [name, value] : headers.map) {
    const size_t at = out.size();
    out.append(name).append(": ").append(value);
    std::replace_if(
        out.begin() + static_cast<std::ptrdiff_t>(at), out.end(),
        [](char c) { return c == '\r' || c == '\n' || c == '\0'; }, ' ');
    out += "\r\n";
  }
}

std::string start_response(const Response& r) {
  std::string out = "HTTP/1.1 " + std::to_string(r.status) + " ";
  out.append(status_text(r.status)).append("\r\n");
  write_headers(out, r.headers);
  if (!r.keep_alive && r.headers.map.count("connection") == 0) out += "connection: close\r\n";
  return out;
}

struct StatusRow {
  int status;
  std::string_view text;
};
constexpr std::array kStatuses{
    StatusRow{100, "Continue"},
    StatusRow{101, "Switching Protocols"},
    StatusRow{200, "OK"},
    StatusRow{201, "Created"},
    StatusRow{202, "Accepted"},
    StatusRow{204, "No Content"},
    StatusRow{304, "Not Modified"},
    StatusRow{400, "Bad Request"},
    StatusRow{401, "Unauthorized"},
    StatusRow{403, "Forbidden"},
    StatusRow{404, "Not Found"},
    StatusRow{405, "Method Not Allowed"},
    StatusRow{409, "Conflict"},
    StatusRow{413, "Content Too Large"},
    StatusRow{415, "Unsupported Media Type"},
    StatusRow{422, "Unprocessable Content"},
    StatusRow{426, "Upgrade Required"},
    StatusRow{429, "Too Many Requests"},
    StatusRow{431, "Request Header Fields Too Large"},
    StatusRow{500, "Internal Server Error"},
    StatusRow{501, "Not Implemented"},
    StatusRow{503, "Service Unavailable"},
    StatusRow{504, "Gateway Timeout"},
    StatusRow{507, "Insufficient Storage"},
};

}  // namespace

std::string_view status_text(int status) {
  for (const auto& row : kStatuses)
    if (row.status == status) return row.text;
  return "Unknown";
}

std::string write_request(const Request& r, std::string_view raw_target) {
  std::string out = r.method + " ";
  out.append(raw_target).append(" HTTP/1.1\r\n");
  if (r.headers.map.count("host") == 0) out += "host: codexos\r\n";
  write_headers(out, r.headers);
  if (!r.keep_alive && r.headers.map.count("connection") == 0) out += "connection: close\r\n";
  if (!r.body.empty() || r.method == "POST" || r.method == "PUT" || r.method == "PATCH")
    out += "content-length: " + std::to_string(r.body.size()) + "\r\n";
  return out + "\r\n" + r.body;
}

std::string write_response(const Response& r) {
  std::string out = start_response(r);
  const bool bodiless = r.status / 100 == 1 || r.status == 204 || r.status == 304;
  if (bodiless) return out + "\r\n";
  return out + "content-length: " + std::to_string(r.body.size()) + "\r\n\r\n" + r.body;
}

std::string write_chunked_head(const Response& r) {
  return start_response(r) + "transfer-encoding: chunked\r\n\r\n";
}

std::string chunk(std::string_view bytes) {
  if (bytes.empty()) return {};  // a chunk of no bytes would end the body
  char size[32];
  const int n = snprintf(size, sizeof size, "%zx\r\n", bytes.size());
  std::string out(size, static_cast<size_t>(n));
  return out.append(bytes).append("\r\n");
}

std::string percent_encode(std::string_view s) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : s) {
    const bool unreserved = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                            (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
    if (unreserved) {
      out.push_back(c);
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out.append({'%', kHex[byte >> 4], kHex[byte & 15]});
  }
  return out;
}

std::string make_target(std::string_view path, const std::map<std::string, std::string>& query) {
  std::string out(path);
  char separator = '?';
  for (const auto& [name, value] : query) {
    out.push_back(separator);
    out.append(percent_encode(name)).append("=").append(percent_encode(value));
    separator = '&';
  }
  return out;
}

}  // namespace codexos::http
