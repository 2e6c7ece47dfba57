// SPDX-License-Identifier: Apache-2.0
// The server as its callers see it: routes, problems, pipelining, streams, upgrades, refused peers,
// failed commits. The loop runs in a thread of its own, the test is the client.
#include "daemon/api/server.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <thread>

#include "core/os/file.h"
#include "core/os/socket.h"
#include "core/os/spawn.h"
#include "daemon/api/router.h"

namespace codexos::daemon {
namespace {

class Fixture {
 public:
  Fixture() {
    char name[] = "/tmp/codexos-server-XXXXXX";
    REQUIRE(mkdtemp(name) != nullptr);
    dir_ = name;
    loop_ = *Loop::make();
    server_ = *Server::make(*loop_, *listen_unix(path(), SocketType::stream),
                            *PeerCheck::make(getuid()), routes());
    loop_->on_turn_end([this] {
      if (commit_fails) {
        server_->flush_failed(Error{Code::exhausted, "the disk is full", {}});
      } else {
        server_->flush();
      }
      if (stop_) loop_->stop();
    });
    thread_ = std::thread([this] { loop_->run(); });
  }
  ~Fixture() {
    stop_ = true;
    { const auto wake = connect(); }
    thread_.join();
    server_.reset();
    (void)remove_tree(dir_);
  }
  Fixture(const Fixture&) = delete;
  Fixture& operator=(const Fixture&) = delete;

  std::string path() const { return dir_ + "/s"; }
  Fd connect() const { return *connect_unix(path(), SocketType::stream); }

  std::atomic<bool> commit_fails = false;
  std::atomic<int> asked = 0;  // of the handlers that do not answer at once
  std::atomic<int> gone = 0;
  std::atomic<int> drained = 0;
  std::atomic<int> upgraded = 0;
  std::atomic<size_t> fds_seen = 99;

 private:
  std::vector<Route> routes() {
    return {
        {"GET", "/v1/echo/{a}/x/{b}", [](CallPtr c) { c->reply(200, c->param(0) + c->param(1)); }},
        {"POST", "/v1/echo",
         [this](CallPtr c) {
           fds_seen = c->fds().size();
           c->reply(201, c->request().body);
         }},
        {"GET", "/v1/echo", [](CallPtr c) { c->reply(200, std::string(c->query("q"))); }},
        {"GET", "/v1/fail",
         [](CallPtr c) {
           c->fail(Error{Code::conflict, "it is so", "do this"});
         }},
        {"GET", "/v1/later",
         [this](CallPtr c) {
           ++asked;
           c->on_gone([this] { ++gone; });
           loop_->after_ms(30, "later", [c] { c->reply(200, "later"); });
         }},
        {"GET", "/v1/never",
         [this](CallPtr c) {
           ++asked;
           held_ = c;
           c->on_gone([this] {
             held_ = nullptr;
             ++gone;
           });
         }},
        {"GET", "/v1/stream",
         [this](CallPtr c) {
           c->start_stream();
           c->send_line(R"({"n":1})");
           loop_->after_ms(5, "line", [c] {
             c->send_line(R"({"n":2})");
             c->end_stream();
           });
         }},
        {"GET", "/v1/broken-stream",
         [](CallPtr c) {
           c->start_stream();
           c->send_line(R"({"n":1})");
           c->fail(Error{Code::internal, "cannot go on", {}});
         }},
        {"GET", "/v1/flood",
         [this](CallPtr c) {
           c->start_stream();
           c->on_drain([this, c] {
             ++drained;
             c->end_stream();
           });
           while (!c->backlogged()) c->send_line(std::string(100000, 'x'));
         }},
        {"POST", "/v1/upgrade",
         [this](CallPtr c) {
           shim_ = *c->duplicate_connection();
           c->upgraded([this] { ++upgraded; }, "abc");
           // The shim writes to its duplicate right after the 101.
           loop_->after_ms(20, "shim", [this] {
             (void)!write(shim_.get(), "frames", 6);
             shim_.reset();
           });
         }},
    };
  }

  std::string dir_;
  std::unique_ptr<Loop> loop_;
  std::unique_ptr<Server> server_;
  CallPtr held_;
  Fd shim_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

void say(const Fd& fd, std::string_view bytes) {
  REQUIRE(send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
          static_cast<ssize_t>(bytes.size()));
}

/// What comes until the server closes or nothing came for `quiet_ms`.
std::string hear(const Fd& fd, int quiet_ms = 2000, std::string_view until = "\x01") {
  std::string out;
  char piece[65536];
  while (out.find(until) == std::string::npos) {
    pollfd p{fd.get(), POLLIN, 0};
    if (poll(&p, 1, quiet_ms) != 1) break;
    const ssize_t n = recv(fd.get(), piece, sizeof piece, 0);
    if (n <= 0) break;
    out.append(piece, static_cast<size_t>(n));
  }
  return out;
}

http::Response ask(const Fixture& f, const std::string& request, Fd* keep = nullptr) {
  Fd fd = f.connect();
  say(fd, request);
  http::ResponseParser p;
  char piece[65536];
  while (!p.done()) {
    pollfd ready{fd.get(), POLLIN, 0};
    REQUIRE(poll(&ready, 1, 5000) == 1);
    const ssize_t n = recv(fd.get(), piece, sizeof piece, 0);
    REQUIRE(n >= 0);
    if (n == 0) break;
    REQUIRE(p.feed(std::string_view(piece, static_cast<size_t>(n))).ok());
  }
  REQUIRE(p.finish().ok());
  if (keep != nullptr) *keep = std::move(fd);
  return p.response();
}

template <class Condition>
bool soon(Condition&& holds) {
  for (int i = 0; i < 500; ++i) {
    if (holds()) return true;
    usleep(10000);
  }
  return false;
}

std::string get(const std::string& target) {
  return "GET " + target + " HTTP/1.1\r\nhost: x\r\n\r\n";
}

TEST_CASE("routes match segment by segment, and tell a wrong method from a wrong path") {
  const std::vector<Route> routes{{"GET", "/v1/tasks", nullptr},
                                  {"POST", "/v1/tasks", nullptr},
                                  {"GET", "/v1/tasks/last", nullptr},
                                  {"GET", "/v1/tasks/{id}", nullptr},
                                  {"POST", "/v1/tasks/{id}/stop", nullptr},
                                  {"GET", "/", nullptr}};
  const auto at = [&](std::string_view m, std::string_view p) {
    const Match match = find_route(routes, m, p);
    return match.route == nullptr ? -1 : static_cast<int>(match.route - routes.data());
  };
  CHECK(at("POST", "/v1/tasks") == 1);
  CHECK(at("GET", "/v1/tasks/last") == 2);
  CHECK(at("GET", "/v1/tasks/abc") == 3);
  CHECK(find_route(routes, "POST", "/v1/tasks/abc/stop").params == std::vector<std::string>{"abc"});
  CHECK(at("GET", "/") == 5);
  for (const char* path : {"/v1", "/v1/tasks/", "/v1/tasks//stop", "/v1/tasks/a/b", "/v1/tasks/a/"})
    CHECK(at("GET", path) == -1);
  CHECK(find_route(routes, "DELETE", "/v1/tasks").allow == "GET, POST");
  CHECK(find_route(routes, "GET", "/nowhere").allow.empty());
}

TEST_CASE("a request is answered, with an id of its own") {
  const Fixture f;
  const auto a = ask(f, get("/v1/echo/one/x/two"));
  CHECK(a.status == 200);
  CHECK(a.body == "onetwo\n");
  CHECK(a.headers.find("content-type") == "application/json");
  const auto b = ask(f, get("/v1/echo?q=a%20b"));
  CHECK(b.body == "a b\n");
  CHECK_FALSE(a.headers.find("x-request-id").empty());
  CHECK(a.headers.find("x-request-id") != b.headers.find("x-request-id"));
}

TEST_CASE("errors are problem documents with code, hint and request id") {
  const Fixture f;
  const auto r = ask(f, get("/v1/fail"));
  CHECK(r.status == 409);
  CHECK(r.headers.find("content-type") == "application/problem+json");
  const auto p = json::decode<wire::Problem>(r.body, json::Unknown::refuse);
  REQUIRE(p.ok());
  CHECK(p->type == "about:blank");
  CHECK(p->code == "conflict");
  CHECK(p->detail == "it is so");
  CHECK(p->hint == "do this");
  CHECK(p->request_id == r.headers.find("x-request-id"));
  CHECK(ask(f, get("/nowhere")).status == 404);
  const auto wrong = ask(f, "DELETE /v1/echo HTTP/1.1\r\n\r\n");
  CHECK(wrong.status == 405);
  CHECK(wrong.headers.find("allow") == "POST, GET");
}

TEST_CASE("malformed, too large and half requests are refused, and the server lives") {
  const Fixture f;
  CHECK(ask(f, "nonsense\r\n\r\n").status == 400);
  CHECK(ask(f, "GET /%00 HTTP/1.1\r\n\r\n").status == 400);
  const auto big = ask(f, "POST /v1/echo HTTP/1.1\r\ncontent-length: 99999999\r\n\r\n");
  CHECK(big.status == 413);
  CHECK_FALSE(big.keep_alive);
  CHECK(ask(f, "GET /" + std::string(70000, 'a') + " HTTP/1.1\r\n\r\n").status == 431);
  {
    const Fd half = f.connect();
    say(half, "GET /v1/ec");
  }
  { const Fd silent = f.connect(); }
  CHECK(ask(f, get("/v1/echo?q=alive")).body == "alive\n");
}

TEST_CASE("a connection is kept for the next request, and closed when asked") {
  const Fixture f;
  const Fd fd = f.connect();
  for (int i = 0; i < 3; ++i) {
    say(fd, get("/v1/echo?q=n" + std::to_string(i)));
    CHECK(hear(fd, 2000, "n" + std::to_string(i) + "\n").find("200 OK") != std::string::npos);
  }
  say(fd, "GET /v1/echo?q=bye HTTP/1.1\r\nconnection: close\r\n\r\n");
  const std::string last = hear(fd);  // until the end of the stream
  CHECK(last.find("bye\n") != std::string::npos);
  char byte = 0;
  CHECK(recv(fd.get(), &byte, 1, MSG_DONTWAIT) == 0);
}

TEST_CASE("a caller that closes its sending side still gets its answer") {
  const Fixture f;
  for (int i = 0; i < 50; ++i) {
    const Fd fd = f.connect();
    say(fd, "GET /v1/ec");
    if (i % 2 == 0) usleep(500);
    say(fd, "ho?q=half HTTP/1.1\r\n\r\n");
    REQUIRE(shutdown(fd.get(), SHUT_WR) == 0);
    CHECK(hear(fd).find("half\n") != std::string::npos);
  }
}

TEST_CASE("pipelined requests are answered one after the other, in order") {
  const Fixture f;
  const Fd fd = f.connect();
  say(fd,
      get("/v1/later") + get("/v1/echo?q=second") + get("/v1/echo?q=third") + "nonsense\r\n\r\n");
  const std::string all = hear(fd);
  const size_t first = all.find("later\n");
  const size_t second = all.find("second\n");
  const size_t third = all.find("third\n");
  REQUIRE(third != std::string::npos);
  CHECK(first < second);
  CHECK(second < third);
  CHECK(all.find("400 Bad Request") > third);
  CHECK(all.find("400 Bad Request") != std::string::npos);
}

TEST_CASE("a request that comes byte by byte, and one that asks for 100-continue") {
  const Fixture f;
  const Fd fd = f.connect();
  for (const char c : get("/v1/echo?q=slow")) say(fd, std::string_view(&c, 1));
  CHECK(hear(fd, 2000, "slow\n").find("200 OK") != std::string::npos);
  say(fd, "POST /v1/echo HTTP/1.1\r\ncontent-length: 4\r\nexpect: 100-continue\r\n\r\n");
  CHECK(hear(fd, 2000, "\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n");
  say(fd, "body");
  CHECK(hear(fd, 2000, "body\n").find("201 Created") != std::string::npos);
}

TEST_CASE("a stream comes line by line, one that fails is cut, a slow reader is waited for") {
  Fixture f;
  const auto whole = ask(f, get("/v1/stream"));
  CHECK(whole.body == "{\"n\":1}\n{\"n\":2}\n");
  CHECK(whole.headers.find("content-type") == "application/x-ndjson");
  {
    const Fd fd = f.connect();
    say(fd, get("/v1/broken-stream"));
    const std::string cut = hear(fd);
    CHECK(cut.find("{\"n\":1}") != std::string::npos);
    CHECK(cut.find("\r\n0\r\n") == std::string::npos);
  }
  const Fd slow = f.connect();
  say(slow, get("/v1/flood"));
  usleep(50000);
  CHECK(f.drained == 0);
  const std::string all = hear(slow, 2000, "\r\n0\r\n\r\n");
  CHECK(all.size() > 1 << 20);
  CHECK(f.drained == 1);
}

TEST_CASE("a caller that leaves is told to the handler") {
  Fixture f;
  for (const char* target : {"/v1/never", "/v1/later"}) {
    const int before = f.gone;
    {
      const Fd fd = f.connect();
      say(fd, get(target));
      CHECK(soon([&] { return f.asked == before + 1; }));
    }
    CHECK(soon([&] { return f.gone == before + 1; }));
  }
  usleep(50000);  // the late answer of /v1/later goes nowhere
  CHECK(ask(f, get("/v1/echo?q=x")).status == 200);
}

TEST_CASE("after a 101 the connection belongs to who holds the duplicate") {
  Fixture f;
  const Fd fd = f.connect();
  say(fd, "POST /v1/upgrade HTTP/1.1\r\nupgrade: codexos-frames/1\r\n\r\n");
  const std::string all = hear(fd);
  CHECK(all.find("HTTP/1.1 101 Switching Protocols\r\n") == 0);
  CHECK(all.find("upgrade: codexos-frames/1\r\n") != std::string::npos);
  CHECK(all.find("\r\n\r\nframes") != std::string::npos);
  CHECK(f.upgraded == 1);
}

TEST_CASE("when the commit fails nothing of the turn is told, but the failure") {
  Fixture f;
  f.commit_fails = true;
  const auto r = ask(f, get("/v1/echo?q=secret"));
  CHECK(r.status == 429);
  CHECK(r.body.find("secret") == std::string::npos);
  CHECK(r.body.find("the disk is full") != std::string::npos);
  const Fd fd = f.connect();
  say(fd, "POST /v1/upgrade HTTP/1.1\r\nupgrade: codexos-frames/1\r\n\r\n");
  CHECK(hear(fd, 300, "}\n").find("HTTP/1.1 429") == 0);
  CHECK(f.upgraded == 0);
  f.commit_fails = false;
  CHECK(ask(f, get("/v1/echo?q=again")).status == 200);
}

void send_with_fds(const Fd& fd, std::string_view bytes, const std::vector<int>& fds) {
  bool again = false;
  const auto sent = send_bytes(fd.get(), bytes, fds, again);
  REQUIRE(sent.ok());
  REQUIRE(*sent == bytes.size());
}

TEST_CASE("descriptors ride on a request; the namespace's own is taken off") {
  Fixture f;
  const Fd user(open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC));
  const Fd pid(open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC));
  const std::string request = "POST /v1/echo HTTP/1.1\r\ncontent-length: 2\r\n\r\n";
  struct Row {
    std::vector<int> fds;
    size_t seen;
  };
  const Row rows[] = {
      {{user.get(), 1, 2}, 2}, {{user.get()}, 0}, {{1}, 1}, {{pid.get(), 1}, 2}, {{}, 0}};
  for (const Row& row : rows) {
    const Fd fd = f.connect();
    send_with_fds(fd, request, row.fds);
    say(fd, "ok");
    CHECK(hear(fd, 2000, "ok\n").find("201") != std::string::npos);
    CHECK(f.fds_seen == row.seen);
  }
  const Fd many = f.connect();
  send_with_fds(many, request, std::vector<int>(12, 1));
  send_with_fds(many, "o", std::vector<int>(12, 1));
  CHECK(hear(many, 2000, "}\n").find("HTTP/1.1 400") == 0);
}

/// The first line of what a caller hears that runs in `flags` namespaces and uses `fd`, or connects
/// by itself when there is none.
std::string ask_from_namespace(const Fixture& f, int flags, const Fd& fd) {
  int out[2];
  REQUIRE(pipe2(out, O_CLOEXEC) == 0);
  const std::string path = f.path();
  const pid_t child = fork();
  if (child == 0) {
    if (unshare(flags) != 0) _exit(77);
    // A new pid namespace begins with the next child.
    const pid_t inner = (flags & CLONE_NEWPID) != 0 ? fork() : 0;
    if (inner != 0) {
      int status = 0;
      waitpid(inner, &status, 0);
      _exit(WEXITSTATUS(status));
    }
    auto own = fd ? Result<Fd>(Fd(dup(fd.get()))) : connect_unix(path, SocketType::stream);
    if (!own.ok()) _exit(78);
    const std::string request = get("/v1/echo?q=inside");
    if (send(own->get(), request.data(), request.size(), MSG_NOSIGNAL) < 0) _exit(79);
    const std::string heard = hear(*own, 2000, "\r\n");
    (void)!write(out[1], heard.data(), std::min<size_t>(heard.size(), 12));
    _exit(0);
  }
  close(out[1]);
  const Fd in(out[0]);
  char text[64] = {};
  const ssize_t n = read(in.get(), text, sizeof text);
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  if (WEXITSTATUS(status) == 77) return "cannot unshare";
  CHECK(WEXITSTATUS(status) == 0);
  return std::string(text, n > 0 ? static_cast<size_t>(n) : 0);
}

TEST_CASE("a caller from another user namespace is refused, whoever opened the connection") {
  const Fixture f;
  const std::string own = ask_from_namespace(f, CLONE_NEWUSER, Fd());
  if (own == "cannot unshare") {
    MESSAGE("skipped: user namespaces cannot be made here");
    return;
  }
  CHECK(own == "HTTP/1.1 403");
  // Opened and used outside first, then used from inside.
  Fd outside;
  CHECK(ask(f, get("/v1/echo"), &outside).status == 200);
  CHECK(ask_from_namespace(f, CLONE_NEWUSER, outside) == "HTTP/1.1 403");
  CHECK(ask_from_namespace(f, CLONE_NEWUSER | CLONE_NEWPID, Fd()) == "HTTP/1.1 403");
  if (getuid() == 0) {
    CHECK(ask_from_namespace(f, CLONE_NEWPID, Fd()) == "HTTP/1.1 403");
    // A private mount namespace alone (systemd's PrivateTmp) is no mark of a task.
    CHECK(ask_from_namespace(f, CLONE_NEWNS, Fd()) == "HTTP/1.1 200");
  }
}

TEST_CASE("another user is refused") {
  if (getuid() != 0) {
    MESSAGE("skipped: needs root to become another user");
    return;
  }
  const auto check = PeerCheck::make(getuid());
  REQUIRE(check.ok());
  auto pair = *socket_pair(SocketType::stream);
  want_sender_id(pair.second.get());
  const pid_t child = fork();
  if (child == 0) {
    if (setuid(65534) != 0) _exit(1);
    _exit(write(pair.first.get(), "x", 1) == 1 ? 0 : 2);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(status == 0);
  char byte = 0;
  bool again = false;
  auto got = receive(pair.second.get(), &byte, 1, again);
  REQUIRE(got.ok());
  REQUIRE(got->sender.has_value());
  bool shown = false;
  CHECK(check->check(*got->sender, got->fds, shown).error().code == Code::denied);
}

TEST_CASE("who descends from a task without namespaces is refused, whatever else fits") {
  auto check = PeerCheck::make(getuid());
  REQUIRE(check.ok());
  const auto asked = [&check] {
    SenderId sender;
    sender.pid = getpid();
    sender.uid = getuid();
    sender.pidfd = *open_pidfd(getpid());
    std::vector<Fd> fds;
    fds.push_back(Fd(open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC)));
    bool shown = false;
    return check->check(sender, fds, shown);
  };
  CHECK(asked().ok());
  check->keep_out([] { return std::vector<pid_t>{}; });
  CHECK(asked().ok());
  check->keep_out([] { return std::vector<pid_t>{1 << 30}; });
  CHECK(asked().ok());
  for (const pid_t keeper : {getppid(), getpid()}) {
    check->keep_out([keeper] { return std::vector<pid_t>{keeper}; });
    CHECK(asked().error().code == Code::denied);
  }
}

TEST_CASE("a namespace that is shown must be ours") {
  const auto check = PeerCheck::make(getuid());
  REQUIRE(check.ok());
  int out[2];
  REQUIRE(pipe2(out, O_CLOEXEC) == 0);
  const pid_t child = fork();
  if (child == 0) {
    const char ok = unshare(CLONE_NEWUSER) == 0 ? 'y' : 'n';
    (void)!write(out[1], &ok, 1);
    pause();
    _exit(0);
  }
  char ok = 0;
  REQUIRE(read(out[0], &ok, 1) == 1);
  if (ok == 'y') {
    const std::string path = "/proc/" + std::to_string(child) + "/ns/user";
    SenderId sender;
    sender.pid = getpid();
    sender.uid = getuid();
    sender.pidfd = *open_pidfd(getpid());
    std::vector<Fd> fds;
    fds.push_back(Fd(open(path.c_str(), O_RDONLY | O_CLOEXEC)));
    bool shown = false;
    CHECK(check->check(sender, fds, shown).error().code == Code::denied);
    CHECK_FALSE(shown);
    fds.clear();
    sender.pidfd.reset();
    CHECK(check->check(sender, fds, shown).error().code == Code::denied);  // a lookup that fails
  }
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  close(out[0]);
  close(out[1]);
}

}  // namespace
}  // namespace codexos::daemon
