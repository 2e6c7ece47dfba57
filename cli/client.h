// SPDX-License-Identifier: Apache-2.0
// The daemon's HTTP API over its Unix socket. A request has a connection of its own, or, when it
// may be sent twice, the one of the answer before. With each goes our /proc/self/ns/user as a
// descriptor: before kernel 6.11 that is how the daemon tells us from a process inside a task.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cli/context.h"
#include "core/base/error.h"
#include "core/base/fd.h"
#include "core/http/http.h"
#include "core/json/json.h"
#include "core/os/place.h"

namespace codexos::cli {

struct Request {
  std::string method = "GET";
  std::string path;
  std::map<std::string, std::string> query;
  std::string body;  // JSON, or empty
};

enum class Autostart { yes, no };

/// The lines of an NDJSON response, without heartbeats.
class LineStream {
 public:
  LineStream(Fd fd, http::ResponseParser parser);
  LineStream(LineStream&&) = default;

  int fd() const { return fd_.get(); }
  /// Reads once (it blocks when nothing is there) and hands out the lines that are complete. False
  /// at the proper end; error unavailable when the stream was cut.
  Result<bool> read(const std::function<Status(std::string_view line)>& on_line);

 private:
  friend class Client;
  /// Reads once into body_, or finds that all was read.
  Status fill();
  Status hand_out(const std::function<Status(std::string_view line)>& on_line);
  Fd fd_;
  std::unique_ptr<http::ResponseParser> parser_;
  std::unique_ptr<std::string> body_;  // where the parser puts the body's pieces
};

/// A connection after its 101 reply.
struct Upgraded {
  Fd fd;
  std::string task;      // id, where the reply names it
  std::string leftover;  // first frame bytes that came with the reply
};

class Client {
 public:
  explicit Client(Context& ctx) : ctx_(ctx) {}

  /// Whether a daemon may be started for the requests that follow.
  Client& autostart(Autostart a) {
    autostart_ = a;
    return *this;
  }

  /// A daemon that says nothing for so long is given up: error timeout. Without, it is waited for.
  Client& patience(int seconds) {
    patience_s_ = seconds;
    return *this;
  }

  /// The socket, by --socket or the state folder.
  Result<Place> place() const;
  Result<Fd> connect();

  /// The body of a 2xx reply. Any other reply is an Error made of its problem document, which is
  /// kept in Context::problem.
  Result<std::string> call(const Request& r);
  template <class T>
  Result<T> fetch(const Request& r) {
    CODEXOS_ASSIGN(const std::string body, call(r));
    return json::decode<T>(body, json::Unknown::ignore);
  }
  /// As call(), with the status left to the caller.
  Result<http::Response> exchange(const Request& r);

  Result<LineStream> open_stream(const Request& r);
  /// All lines until the end.
  Status stream(const Request& r, const std::function<Status(std::string_view line)>& on_line);

  /// The body piece by piece, whatever it holds. Error unavailable when it was cut.
  Status stream_bytes(const Request& r,
                      const std::function<Status(std::string_view bytes)>& on_bytes);

  /// Sends `r` with our user namespace and `fds` in one message and waits for the 101. Nothing else
  /// is sent on the connection meanwhile. When `signals` (a signalfd, or -1) becomes readable
  /// first, `interrupted` is set and the connection closed, which cancels the request.
  Result<Upgraded> upgrade(const Request& r, const std::vector<int>& fds, int signals,
                           bool& interrupted);

 private:
  Result<Fd> send(const Request& r, const std::vector<int>& fds, bool upgrade);
  Error failure(const http::Response& r);
  Context& ctx_;
  Autostart autostart_ = Autostart::yes;
  int patience_s_ = 0;  // 0: for ever
  Fd kept_;             // after an answer: for the next request
};

/// "abc" -> "/v1/tasks/abc"; with `verb`: "/v1/tasks/abc/stop". The id is percent-encoded.
std::string task_path(std::string_view id, std::string_view verb = "");

/// The Error that a problem document tells; `status` where the body is none.
Error error_of(const wire::Problem& p);
/// The document for an error of our own.
wire::Problem problem_of(const Error& e);

}  // namespace codexos::cli
