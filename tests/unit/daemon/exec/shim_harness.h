// SPDX-License-Identifier: Apache-2.0
// Runs a real shim as PID 1 of a pid namespace, without a sandbox around it, and plays daemon and
// client to it. Reads have a deadline, so a shim that hangs fails a test instead of stopping all.
#pragma once

#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/binary.h"
#include "core/base/clock.h"
#include "core/base/fd.h"
#include "core/base/frames.h"
#include "core/base/plan.h"
#include "core/base/record.h"
#include "core/os/link.h"
#include "core/os/socket.h"
#include "core/os/spawn.h"
#include "daemon/exec/shim.h"

namespace codexos::exec {

inline constexpr int kPatienceMs = 20000;

inline bool wait_readable(int fd, int ms = kPatienceMs) {
  pollfd p{fd, POLLIN, 0};
  return poll(&p, 1, ms) == 1;
}

/// False, and said, where tests cannot have a pid namespace (a container without privileges).
inline bool namespaces_work() {
  const pid_t pid = fork();
  if (pid == 0) {
    const bool user = geteuid() == 0 || unshare(CLONE_NEWUSER) == 0;
    _exit(user && unshare(CLONE_NEWPID | CLONE_NEWNS) == 0 ? 0 : 1);
  }
  int status = 1;
  waitpid(pid, &status, 0);
  if (status != 0) std::fputs("skipped: shim tests: no pid namespaces here\n", stderr);
  return status == 0;
}

/// A client of the shim: sends frames, collects what comes.
class TestClient {
 public:
  explicit TestClient(Fd fd) : fd_(std::move(fd)) {}

  void send(FrameType type, std::string payload = "", uint8_t stream = 0) {
    const FrameHeader h{static_cast<uint8_t>(type), stream, 0,
                        static_cast<uint32_t>(payload.size())};
    const std::string all = std::string(reinterpret_cast<const char*>(&h), sizeof h) + payload;
    send_raw(all);
  }
  void send_raw(const std::string& bytes) {
    (void)!::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }
  void signal(uint32_t signo) {
    send(FrameType::signal, std::string(reinterpret_cast<const char*>(&signo), 4));
  }
  void close() { fd_.reset(); }

  /// Reads one more frame. False: closed, or nothing came in time.
  bool step(int ms = kPatienceMs) {
    while (buffer_.size() < sizeof(FrameHeader) ||
           buffer_.size() < sizeof(FrameHeader) + length()) {
      char some[65536];
      if (!wait_readable(fd_.get(), ms)) return false;
      const ssize_t n = recv(fd_.get(), some, sizeof some, 0);
      if (n <= 0) return false;
      buffer_.append(some, static_cast<size_t>(n));
    }
    FrameHeader h;
    std::memcpy(&h, buffer_.data(), sizeof h);
    take(h, buffer_.substr(sizeof h, h.length));
    buffer_.erase(0, sizeof h + h.length);
    return true;
  }
  /// Until the exit frame; none: the connection ended without one.
  std::optional<ExitFrame> wait_exit() {
    while (!exit && step()) {
    }
    return exit;
  }
  /// Until `stream` has shown `text`.
  bool wait_output(const std::string& text, uint8_t stream = 1) {
    while (output[stream].find(text) == std::string::npos)
      if (!step()) return false;
    return true;
  }

  std::map<int, std::string> output;
  std::map<int, bool> ended;
  size_t room = 0;
  bool input_closed = false;
  std::optional<ExitFrame> exit;

 private:
  size_t length() const {
    FrameHeader h;
    std::memcpy(&h, buffer_.data(), sizeof h);
    return h.length;
  }
  void take(const FrameHeader& h, const std::string& payload) {
    const auto type = static_cast<FrameType>(h.type);
    if (type == FrameType::output) output[h.stream] += payload;
    if (type == FrameType::output_end) ended[h.stream] = true;
    if (type == FrameType::input_closed) input_closed = true;
    if (type == FrameType::input_room) {
      uint32_t n = 0;
      std::memcpy(&n, payload.data(), 4);
      room += n;
    }
    if (type == FrameType::exit) exit = *from_binary<ExitFrame>(payload);
  }
  Fd fd_;
  std::string buffer_;
};

inline std::pair<Fd, Fd> pair_of(int type) {
  int fds[2];
  REQUIRE(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds) == 0);
  return {Fd(fds[0]), Fd(fds[1])};
}
inline std::pair<Fd, Fd> pipe_of() {
  int fds[2];
  REQUIRE(pipe2(fds, O_CLOEXEC) == 0);
  return {Fd(fds[0]), Fd(fds[1])};
}
inline Fd memory_file(size_t size = 0) {
  Fd fd(memfd_create("test", MFD_CLOEXEC));
  REQUIRE(ftruncate(fd.get(), static_cast<off_t>(size)) == 0);
  return fd;
}
inline std::string content(const Fd& fd) {
  struct stat st {};
  fstat(fd.get(), &st);
  std::string out(static_cast<size_t>(st.st_size), '\0');
  for (size_t have = 0; have < out.size();) {
    const ssize_t n =
        pread(fd.get(), out.data() + have, out.size() - have, static_cast<off_t>(have));
    if (n <= 0) break;
    have += static_cast<size_t>(n);
  }
  return out;
}

class TestTask {
 public:
  Job job;
  Fd record = memory_file(kRecordSize);
  Fd logs[2] = {memory_file(), memory_file()};
  std::string socket_dir;
  Fd passed[2];  // the shim's, when stdout_mode or stderr_mode is `passed`
  std::optional<TestClient> client;
  Fd link;
  pid_t pid = -1;

  explicit TestTask(const std::string& script) {
    job.argv = {"/bin/sh", "-c", script};
    job.env = {"PATH=/usr/bin:/bin"};
    job.cwd = "/";
    job.secret = "open sesame";
    job.stop_grace_ms = 10000;
    job.owned = true;
    char dir[] = "/tmp/shimtest-XXXXXX";
    REQUIRE(mkdtemp(dir) != nullptr);
    socket_dir = dir;
    Record r{};
    r.magic = kRecordMagic;
    r.length = sizeof r;
    std::strncpy(r.boot_id, boot_id().c_str(), sizeof r.boot_id - 1);
    REQUIRE(pwrite(record.get(), &r, sizeof r, 0) == sizeof r);
  }
  ~TestTask() {
    if (pid > 0) {
      kill(pid, SIGKILL);
      waitpid(pid, nullptr, 0);
    }
    unlink((socket_dir + "/shim.sock").c_str());
    rmdir(socket_dir.c_str());
  }

  /// Starts the shim and waits for `prepared`.
  void prepare() {
    auto [ours, theirs] = pair_of(SOCK_SEQPACKET);
    auto [c, c_shim] = pair_of(SOCK_STREAM);
    auto listener = listen_unix(socket_dir + "/shim.sock", SocketType::seqpacket);
    REQUIRE(listener.ok());
    link = std::move(ours);
    client.emplace(std::move(c));
    std::vector<Fd> fds;
    const auto give = [&fds](Fd fd) {
      if (!fd) return -1;
      fds.push_back(std::move(fd));
      return static_cast<int>(fds.size() - 1);
    };
    job.stdout_log_fd = give(Fd(fcntl(logs[0].get(), F_DUPFD_CLOEXEC, 0)));
    job.stderr_log_fd = give(Fd(fcntl(logs[1].get(), F_DUPFD_CLOEXEC, 0)));
    job.record_fd = give(Fd(fcntl(record.get(), F_DUPFD_CLOEXEC, 0)));
    job.client_fd = give(std::move(c_shim));
    job.listen_fd = give(*std::move(listener));
    job.stdout_fd = give(std::move(passed[0]));
    job.stderr_fd = give(std::move(passed[1]));
    pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) run_inside(theirs.release(), fds);
    auto m = next();
    REQUIRE(m);
    REQUIRE(m->type == LinkType::prepared);
  }
  void start() {
    prepare();
    say(LinkType::go);
  }
  void say(LinkType type, const std::string& payload = "", const std::vector<int>& fds = {}) {
    CHECK(send_link(link.get(), type, payload, fds).ok());
  }
  std::optional<LinkMessage> next(int ms = kPatienceMs) {
    if (!wait_readable(link.get(), ms)) return std::nullopt;
    auto m = recv_link(link.get());
    if (!m.ok()) return std::nullopt;
    return *std::move(m);
  }
  std::optional<LinkMessage> next_of(LinkType type) {
    for (;;) {
      auto m = next();
      if (!m || m->type == type) return m;
    }
  }
  /// Waits for `ended` and commits it.
  Ended ended() {
    auto m = next_of(LinkType::ended);
    REQUIRE(m);
    say(LinkType::end_ack, to_binary(EndAck{"a note"}));
    return *from_binary<Ended>(m->payload);
  }
  /// The shim's own exit code.
  int wait_gone() {
    const int64_t until = monotonic_us() + int64_t{kPatienceMs} * 1000;
    int status = 0;
    while (waitpid(pid, &status, WNOHANG) == 0) {
      if (monotonic_us() > until) {
        FAIL("the shim does not end");
        return -1;
      }
      usleep(1000);
    }
    pid = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  Record recorded() const {
    Record r{};
    (void)!pread(record.get(), &r, sizeof r, 0);
    return r;
  }

 private:
  /// The real shim is a program of its own; here it must not hold the test's ends of pipes.
  static void close_others(int link_fd, const std::vector<Fd>& fds) {
    for (int fd = 3; fd < 256; ++fd) {
      bool keep = fd == link_fd;
      for (const auto& k : fds) keep = keep || k.get() == fd;
      if (!keep) ::close(fd);
    }
  }
  [[noreturn]] void run_inside(int link_fd, std::vector<Fd>& fds) {
    close_others(link_fd, fds);
    prctl(PR_SET_PDEATHSIG, SIGKILL);  // a test that is broken off leaves nothing running
    if (geteuid() != 0 && unshare(CLONE_NEWUSER) < 0) _exit(99);
    if (unshare(CLONE_NEWPID | CLONE_NEWNS) < 0) _exit(99);
    const pid_t inner = fork();
    if (inner == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
      mount("proc", "/proc", "proc", 0, nullptr);
      ShimContext c;
      c.link_fd = link_fd;
      c.job = &job;
      c.fds = &fds;
      _exit(run_shim(c));
    }
    fds.clear();
    ::close(link_fd);
    int status = 0;
    waitpid(inner, &status, 0);
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
  }
};

}  // namespace codexos::exec
