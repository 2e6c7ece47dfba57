// SPDX-License-Identifier: Apache-2.0
#include "cli/start.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "core/base/clock.h"
#include "core/os/file.h"
#include "core/os/socket.h"
#include "core/os/spawn.h"

namespace codexos::cli {
namespace {

// A daemon that is about to end may take some of it to finish what it has begun.
constexpr int64_t kStartTimeoutUs = 10000000;
constexpr int kReadyFd = 3;  // its number in the daemon
constexpr int kRetryMs = 2;
constexpr std::string_view kReady = "x";

bool forbidden() {
  const char* v = getenv("CODEXOS_NO_AUTOSTART");
  return v != nullptr && *v != '\0' && std::string_view(v) != "0";
}

/// The daemon's whole environment: nothing of the caller that its state or work does not depend on.
std::vector<std::string> daemon_environment() {
  std::vector<std::string> out;
  bool has_path = false;
  for (const char* name :
       {"PATH", "HOME", "USER", "CODEXOS_HOME", "CODEXOS_PARKED", "CODEXOS_FORCE_COPY",
        "CODEXOS_RESOLVER", "XDG_CONFIG_HOME", "SSL_CERT_FILE", "SSL_CERT_DIR", "HTTPS_PROXY",
        "https_proxy", "HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy"}) {
    const char* value = getenv(name);
    if (value == nullptr) continue;
    out.push_back(fmt::format("{}={}", name, value));
    has_path = has_path || std::string_view(name) == "PATH";
  }
  if (!has_path) out.emplace_back("PATH=/usr/local/bin:/usr/bin:/bin");
  return out;
}

/// What the daemon writes until it closes its ends: one byte on the ready descriptor, or the reason
/// why it cannot start on its stderr.
Result<std::string> read_ready(int fd, int64_t deadline) {
  std::string text;
  char buffer[512];
  for (;;) {
    pollfd p{fd, POLLIN, 0};
    const int64_t left_ms = (deadline - monotonic_us()) / 1000;
    if (left_ms <= 0) return Error{Code::timeout, "it was not ready after 10 seconds", {}};
    const int n = poll(&p, 1, static_cast<int>(left_ms));
    if (n < 0 && errno != EINTR) return errno_error("poll", errno);
    if (n <= 0) continue;
    const ssize_t got = read(fd, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return text;
    text.append(buffer, static_cast<size_t>(got));
    if (text == kReady) return text;
  }
}

/// The last error that a daemon which had opened its log wrote there.
std::string last_log_error(const std::string& home) {
  constexpr size_t kMaxLog = 16 << 20;
  const auto log = read_file(home + "/codexosd.log", kMaxLog);
  if (!log.ok()) return {};
  std::string_view text = *log;
  while (text.ends_with('\n')) text.remove_suffix(1);
  return std::string(text.substr(text.rfind('\n') + 1));
}

std::string reason_of(std::string said, const std::string& home, const std::string& program) {
  said = said.substr(0, said.find('\n'));
  if (said.starts_with("error: ")) said.erase(0, 7);
  if (said.empty()) said = last_log_error(home);
  return said.empty() ? fmt::format("{} ended at once", program) : said;
}

Status spawn_daemon(const Place& place, int64_t deadline) {
  CODEXOS_ASSIGN(SpawnOptions o,
                 daemon_spawn({"codexosd", "--ready-fd", std::to_string(kReadyFd)}));
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return errno_error("pipe", errno);
  const Fd ours(ends[0]);
  Fd theirs(ends[1]);
  o.fds = {{theirs.get(), STDERR_FILENO}, {theirs.get(), kReadyFd}};
  o.new_session = true;
  CODEXOS_ASSIGN(const pid_t pid, spawn(o));
  theirs.reset();
  CODEXOS_ASSIGN(const std::string said, read_ready(ours.get(), deadline));
  if (said == kReady) return {};
  // It may have ended because another one, started by hand, was faster.
  if (connect_unix(place.socket, SocketType::stream).ok()) return {};
  waitpid(pid, nullptr, WNOHANG);
  const std::string log = place.home + "/codexosd.log";
  return Error{Code::unavailable, reason_of(said, place.home, o.path),
               access(log.c_str(), R_OK) == 0 ? fmt::format("its log is {}", log) : std::string()};
}

}  // namespace

Result<std::string> daemon_program() {
  if (const char* given = getenv("CODEXOS_DAEMON"); given != nullptr && *given != '\0')
    return std::string(given);
  char self[4096];
  const ssize_t n = readlink("/proc/self/exe", self, sizeof self);
  if (n <= 0) return errno_error("readlink /proc/self/exe", errno);
  const std::string_view path(self, static_cast<size_t>(n));
  std::string found = std::string(path.substr(0, path.rfind('/') + 1)) + "codexosd";
  if (access(found.c_str(), X_OK) != 0)
    return Error{Code::unavailable, fmt::format("no daemon at {}", found),
                 "install codexosd beside codexos, or set CODEXOS_DAEMON to its path"};
  return found;
}

Result<SpawnOptions> daemon_spawn(std::vector<std::string> argv) {
  SpawnOptions o;
  CODEXOS_ASSIGN(o.path, daemon_program());
  o.argv = std::move(argv);
  o.env = daemon_environment();
  return o;
}

Result<Fd> connect_or_start(const Place& place, Start start) {
  auto first = connect_unix(place.socket, SocketType::stream);
  if (first.ok() || first.error().code != Code::unavailable) return first;
  if (start == Start::if_allowed && forbidden())
    return Error{
        Code::unavailable,
        fmt::format("no daemon listens on {}, and CODEXOS_NO_AUTOSTART forbids to start it",
                    place.socket),
        "codexos daemon start"};
  // Whatever the reason, to the caller it is a daemon that is not there.
  const auto failed = [](Error e) {
    if (e.code != Code::timeout) e.code = Code::unavailable;
    return std::move(e).during("start the daemon");
  };
  if (auto r = make_dirs(place.home, 0700); !r.ok()) return failed(std::move(r).error());
  auto lock = open_file(place.home + "/start.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (!lock.ok()) return failed(std::move(lock).error());
  const int64_t deadline = monotonic_us() + kStartTimeoutUs;
  for (;;) {
    const Status held = lock_file(lock->get());
    if (!held.ok() && held.error().code != Code::conflict) return failed(Error(held.error()));
    // Whoever had the lock before us may have started it.
    auto again = connect_unix(place.socket, SocketType::stream);
    if (again.ok() || again.error().code != Code::unavailable) return again;
    if (held.ok()) {
      if (auto r = spawn_daemon(place, deadline); !r.ok()) return failed(std::move(r).error());
      return connect_unix(place.socket, SocketType::stream);
    }
    if (monotonic_us() > deadline)
      return failed(Error{Code::timeout, "another start did not finish in 10 seconds", {}});
    poll(nullptr, 0, kRetryMs);
  }
}

}  // namespace codexos::cli
