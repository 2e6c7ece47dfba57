// SPDX-License-Identifier: Apache-2.0
#include "cli/client.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdlib>

#include "cli/early.h"
#include "cli/render.h"
#include "cli/start.h"
#include "core/base/frames.h"
#include "core/base/version.h"
#include "core/os/socket.h"

namespace codexos::cli {
namespace {

constexpr size_t kReadSize = 64 * 1024;

std::string frames_protocol() { return fmt::format("codexos-frames/{}", kFramesVersion); }

/// What may be asked again when the connection turns out to be gone.
bool is_safe(const Request& r) { return r.method == "GET"; }

http::Request to_http(const Request& r, bool upgrade) {
  http::Request out;
  out.method = r.method;
  out.body = r.body;
  out.headers.map["host"] = "codexos";
  out.headers.map["user-agent"] = fmt::format("codexos/{}", kVersion);
  if (!r.body.empty()) out.headers.map["content-type"] = "application/json";
  out.keep_alive = !upgrade && is_safe(r);
  if (!out.keep_alive) out.headers.map["connection"] = upgrade ? "upgrade" : "close";
  if (upgrade) out.headers.map["upgrade"] = frames_protocol();
  return out;
}

Error cut_short() {
  return Error{Code::unavailable, "the daemon closed the connection before it answered",
               "codexos daemon status"};
}

/// Reads into `parser` until its head (or all of it) is there. `leftover`: bytes behind it.
Status read_response(int fd, http::ResponseParser& parser, bool head_only, std::string* leftover) {
  std::string buffer;
  while (!(parser.done() || (head_only && parser.head_done()))) {
    bool again = false;
    buffer.resize(kReadSize);
    auto got = receive(fd, buffer.data(), buffer.size(), again);
    if (!got.ok()) return std::move(got).error();
    if (again) return Error{Code::timeout, "the daemon did not answer in time", {}};
    if (got->bytes == 0) {
      if (!parser.finish().ok() || !parser.done()) return cut_short();
      return {};
    }
    const std::string_view bytes(buffer.data(), got->bytes);
    CODEXOS_ASSIGN(const size_t used, parser.feed(bytes));
    if (leftover != nullptr) leftover->append(bytes.substr(used));
  }
  return {};
}

Error frames_mismatch(const std::string& theirs) {
  return Error{Code::unavailable,
               fmt::format("this codexos {} speaks {}, the daemon {}", kVersion, frames_protocol(),
                           theirs.empty() ? "nothing of that kind" : theirs),
               "bring both to one version; see codexos version"};
}

/// The connection on which this very request is on its way since before main() (cli/early.h), and
/// what has come of its reply; or none.
Result<Fd> take_early(const Request& r, http::ResponseParser& parser, std::string& leftover) {
  Fd fd(std::exchange(early_request.fd, -1));
  if (!fd) return fd;
  const std::string_view sent(early_request.sent, early_request.sent_size);
  if (http::write_request(to_http(r, true), http::make_target(r.path, r.query)) != sent)
    return Error{Code::internal, "another request was sent early than was meant",
                 "this is a fault of codexos: please report it"};
  const std::string_view reply(early_request.reply, early_request.reply_size);
  CODEXOS_ASSIGN(const size_t used, parser.feed(reply));
  leftover = reply.substr(used);
  return fd;
}

bool is_heartbeat(std::string_view line) {
  constexpr size_t kLongest = 80;
  return line.size() < kLongest && line.find("\"heartbeat\"") != std::string_view::npos;
}

}  // namespace

std::string task_path(std::string_view id, std::string_view verb) {
  std::string out = "/v1/tasks/" + http::percent_encode(id);
  if (!verb.empty()) out.append("/").append(verb);
  return out;
}

Error error_of(const wire::Problem& p) {
  Error e{Code::internal, p.detail.empty() ? p.title : p.detail, p.hint};
  for (const auto& row : wire::kCodes)
    if (row.name == p.code) e.code = row.code;
  return e;
}

wire::Problem problem_of(const Error& e) {
  const wire::CodeRow& row = wire::code_row(e.code);
  wire::Problem p;
  p.title = row.title;
  p.status = row.http_status;
  p.detail = e.message;
  p.code = row.name;
  p.hint = e.hint;
  return p;
}

Result<Place> Client::place() const {
  if (ctx_.globals.socket.empty())
    return find_place(getuid(), getenv("CODEXOS_HOME"), getenv("HOME"));
  return Place{"", ctx_.globals.socket};
}

Result<Fd> Client::connect() {
  CODEXOS_ASSIGN(const Place at, place());
  // A socket that was named by hand belongs to a daemon whose state folder we cannot know.
  if (autostart_ == Autostart::no || !ctx_.globals.socket.empty()) {
    auto r = connect_unix(at.socket, SocketType::stream);
    if (!r.ok() && r.error().code == Code::unavailable)
      return Error{Code::unavailable, fmt::format("no daemon listens on {}", at.socket),
                   "codexos daemon start"};
    return r;
  }
  return connect_or_start(at, Start::if_allowed);
}

Result<Fd> Client::send(const Request& r, const std::vector<int>& fds, bool upgrade) {
  Fd fd;
  if (is_safe(r) && !upgrade) fd = std::move(kept_);
  if (!fd) {
    CODEXOS_ASSIGN(fd, connect());
  }
  if (patience_s_ > 0) {
    const timeval most{patience_s_, 0};
    for (const int which : {SO_RCVTIMEO, SO_SNDTIMEO})
      setsockopt(fd.get(), SOL_SOCKET, which, &most, sizeof most);
  }
  const Fd user_namespace(::open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC));
  std::vector<int> with;
  if (user_namespace) with.push_back(user_namespace.get());
  if (!fds.empty() && !user_namespace) return errno_error("open /proc/self/ns/user", errno);
  with.insert(with.end(), fds.begin(), fds.end());
  const std::string target = http::make_target(r.path, r.query);
  if (ctx_.globals.verbose) say(fmt::format("{} {}", r.method, target));
  const std::string bytes = http::write_request(to_http(r, upgrade), target);
  std::string_view left = bytes;
  while (!left.empty()) {
    bool again = false;
    auto sent = send_bytes(fd.get(), left, with, again);
    // A daemon that refuses a request that it has not read whole answers and closes: its answer is
    // worth more than our EPIPE.
    if (!sent.ok()) break;
    if (again) return Error{Code::timeout, "the daemon does not take the request", {}};
    left.remove_prefix(*sent);
    with.clear();
  }
  return fd;
}

Result<http::Response> Client::exchange(const Request& r) {
  const auto ask = [&]() -> Result<http::Response> {
    CODEXOS_ASSIGN(Fd fd, send(r, {}, false));
    http::ResponseParser parser;
    CODEXOS_TRY(read_response(fd.get(), parser, false, nullptr));
    if (is_safe(r) && parser.response().keep_alive) kept_ = std::move(fd);
    return parser.response();
  };
  auto answer = ask();
  // The daemon died between our connect and its answer: the next one knows as much.
  if (!answer.ok() && answer.error().code == Code::unavailable && is_safe(r)) answer = ask();
  if (answer.ok() && ctx_.globals.verbose) say(fmt::format("-> {}", answer->status));
  return answer;
}

Error Client::failure(const http::Response& r) {
  auto p = json::decode<wire::Problem>(r.body, json::Unknown::ignore);
  if (!p.ok() || p->code.empty())
    return Error{Code::internal,
                 fmt::format("the daemon answered {} {}", r.status, http::status_text(r.status)),
                 {}};
  ctx_.problem = *p;
  return error_of(*p);
}

Result<std::string> Client::call(const Request& r) {
  CODEXOS_ASSIGN(http::Response reply, exchange(r));
  if (reply.status < 200 || reply.status > 299) return failure(reply);
  // One document is one line; whoever prints it ends the line.
  while (reply.body.ends_with('\n')) reply.body.pop_back();
  return std::move(reply.body);
}

LineStream::LineStream(Fd fd, http::ResponseParser parser)
    : fd_(std::move(fd)),
      parser_(std::make_unique<http::ResponseParser>(std::move(parser))),
      body_(std::make_unique<std::string>()) {
  parser_->stream_body([to = body_.get()](std::string_view piece) { to->append(piece); });
}

Status LineStream::hand_out(const std::function<Status(std::string_view line)>& on_line) {
  size_t begin = 0;
  for (size_t end = body_->find('\n'); end != std::string::npos; end = body_->find('\n', begin)) {
    const std::string_view line = std::string_view(*body_).substr(begin, end - begin);
    begin = end + 1;
    if (line.empty() || is_heartbeat(line)) continue;
    CODEXOS_TRY(on_line(line));
  }
  body_->erase(0, begin);
  return {};
}

Status LineStream::fill() {
  if (parser_->done()) return {};
  std::string buffer(kReadSize, '\0');
  bool again = false;
  const auto got = receive(fd_.get(), buffer.data(), buffer.size(), again);
  if (again) return {};
  if (!got.ok() || (got->bytes == 0 && (!parser_->finish().ok() || !parser_->done())))
    return Error{Code::unavailable, "the stream was cut", "codexos daemon status"};
  CODEXOS_ASSIGN(const size_t used, parser_->feed({buffer.data(), got->bytes}));
  if (used < got->bytes) return Error{Code::internal, "bytes behind the stream's end", {}};
  return {};
}

Result<bool> LineStream::read(const std::function<Status(std::string_view line)>& on_line) {
  CODEXOS_TRY(fill());
  CODEXOS_TRY(hand_out(on_line));
  if (!parser_->done()) return true;
  if (body_->empty() || is_heartbeat(*body_)) return false;
  CODEXOS_TRY(on_line(*body_));
  body_->clear();
  return false;
}

Result<LineStream> Client::open_stream(const Request& r) {
  kept_.reset();  // if it were gone, nobody would ask again
  CODEXOS_ASSIGN(Fd fd, send(r, {}, false));
  LineStream out(std::move(fd), http::ResponseParser());
  CODEXOS_TRY(read_response(out.fd_.get(), *out.parser_, true, nullptr));
  const http::Response& head = out.parser_->response();
  if (head.status >= 200 && head.status <= 299) return out;
  CODEXOS_TRY(read_response(out.fd_.get(), *out.parser_, false, nullptr));
  http::Response whole = out.parser_->response();
  whole.body = *out.body_;
  return failure(whole);
}

Status Client::stream(const Request& r,
                      const std::function<Status(std::string_view line)>& on_line) {
  CODEXOS_ASSIGN(LineStream s, open_stream(r));
  // Lines that came together with the head.
  CODEXOS_TRY(s.hand_out(on_line));
  for (;;) {
    CODEXOS_ASSIGN(const bool more, s.read(on_line));
    if (!more) return {};
  }
}

Status Client::stream_bytes(const Request& r,
                            const std::function<Status(std::string_view bytes)>& on_bytes) {
  CODEXOS_ASSIGN(LineStream s, open_stream(r));
  for (;;) {
    CODEXOS_TRY(on_bytes(*s.body_));
    s.body_->clear();
    if (s.parser_->done()) return {};
    CODEXOS_TRY(s.fill());
  }
}

Result<Upgraded> Client::upgrade(const Request& r, const std::vector<int>& fds, int signals,
                                 bool& interrupted) {
  http::ResponseParser parser;
  Upgraded out;
  CODEXOS_ASSIGN(Fd fd, take_early(r, parser, out.leftover));
  if (!fd) {
    CODEXOS_ASSIGN(fd, send(r, fds, true));
  }
  pollfd wait[2] = {{fd.get(), POLLIN, 0}, {signals, POLLIN, 0}};
  while (wait[0].revents == 0 && !parser.head_done()) {
    if (poll(wait, 2, -1) < 0 && errno != EINTR) return errno_error("poll", errno);
    interrupted = wait[0].revents == 0 && wait[1].revents != 0;
    if (interrupted) return Error{Code::unavailable, "interrupted", {}};
  }
  CODEXOS_TRY(read_response(fd.get(), parser, true, &out.leftover));
  const http::Response& head = parser.response();
  if (head.status != 101) {
    CODEXOS_TRY(read_response(fd.get(), parser, false, nullptr));
    if (head.status >= 200 && head.status <= 299) return frames_mismatch("");
    return failure(parser.response());
  }
  const std::string protocol(head.headers.find("upgrade"));
  if (protocol != frames_protocol()) return frames_mismatch(protocol);
  out.task = head.headers.find("codexos-task");
  out.fd = std::move(fd);
  return out;
}

}  // namespace codexos::cli
