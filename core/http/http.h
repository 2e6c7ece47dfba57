// SPDX-License-Identifier: Apache-2.0
// HTTP/1.1 (RFC 9112) without sockets: bytes in, Request or Response out. A thin face over
// Boost.Beast's parser, whose only home is http.cc.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/error.h"

namespace codexos::http {

inline constexpr size_t kMaxHead = 64 * 1024;
inline constexpr size_t kMaxBody = 16 << 20;

struct Headers {
  std::map<std::string, std::string> map;                    // names in lower case
  std::string_view find(std::string_view lower_name) const;  // empty: absent
};

struct Request {
  std::string method;
  std::string path;                          // percent-decoded, without query
  std::map<std::string, std::string> query;  // percent-decoded
  Headers headers;
  std::string body;
  bool keep_alive = true;
};

struct Response {
  int status = 200;
  Headers headers;
  std::string body;
  bool keep_alive = true;
};

/// Feed bytes, take requests. After an error (malformed, too large) the connection is unusable; the
/// error's code is invalid (400) or exhausted (413/431).
class RequestParser {
 public:
  RequestParser();
  ~RequestParser();
  RequestParser(RequestParser&&) noexcept;
  RequestParser& operator=(RequestParser&&) noexcept;
  /// Consumes all of `bytes`.
  Status feed(std::string_view bytes);
  /// The next complete request, if there is one.
  Result<std::optional<Request>> next();
  /// The status that answers the error of feed() or next(): 400, 413 or 431; 0: there was none.
  int error_status() const;
  /// True once for a request whose head asked for `100 Continue` and whose body is not there yet.
  bool take_continue();
  /// Whether bytes of a further request wait.
  bool has_bytes() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The client's side. A body may be streamed: chunks are given to `on_body` as they come.
class ResponseParser {
 public:
  ResponseParser();
  ~ResponseParser();
  ResponseParser(ResponseParser&&) noexcept;
  /// Called with body pieces instead of collecting them in Response::body.
  void stream_body(std::function<void(std::string_view)> on_body);
  /// Returns how many bytes were consumed: less than all after a 101 or a complete response.
  Result<size_t> feed(std::string_view bytes);
  bool head_done() const;
  bool done() const;
  /// The peer closed. Error unavailable when the response was cut.
  Status finish();
  const Response& response() const;  // head after head_done, all after done

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Serialises. content-length is set from the body; for streams use chunk().
std::string write_request(const Request& r, std::string_view raw_target);
std::string write_response(const Response& r);
/// Head of a response with `transfer-encoding: chunked`.
std::string write_chunked_head(const Response& r);
std::string chunk(std::string_view bytes);
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

std::string percent_encode(std::string_view s);
/// "/v1/tasks" + {"a": "b"} -> "/v1/tasks?a=b"
std::string make_target(std::string_view path, const std::map<std::string, std::string>& query);
std::string_view status_text(int status);

}  // namespace codexos::http
