// SPDX-License-Identifier: Apache-2.0
#include "cli/program.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "core/base/clock.h"

namespace codexos::cli {
namespace {

constexpr size_t kMaxText = 1 << 20;

Result<std::string> read_all(int fd, int64_t patience_ms) {
  const int64_t until_us = monotonic_us() + patience_ms * 1000;
  std::string out;
  char buffer[16 << 10];
  while (out.size() < kMaxText) {
    pollfd p{fd, POLLIN, 0};
    const int64_t left_ms = (until_us - monotonic_us()) / 1000;
    if (left_ms <= 0 || poll(&p, 1, static_cast<int>(left_ms)) == 0)
      return Error{Code::timeout, fmt::format("it did not end in {} s", patience_ms / 1000), {}};
    const ssize_t n = read(fd, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_error("read", errno);
    if (n == 0) break;
    out.append(buffer, static_cast<size_t>(n));
  }
  return out;
}

}  // namespace

Result<Printed> read_program(SpawnOptions o, int64_t patience_ms) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return errno_error("pipe", errno);
  const Fd ours(ends[0]);
  Fd theirs(ends[1]);
  o.fds = {{theirs.get(), STDOUT_FILENO}, {theirs.get(), STDERR_FILENO}};
  CODEXOS_ASSIGN(const pid_t pid, spawn(o));
  theirs.reset();
  auto text = read_all(ours.get(), patience_ms);
  if (!text.ok()) kill(pid, SIGKILL);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (!text.ok()) return std::move(text).error();
  constexpr int kBySignal = 128;
  return Printed{*std::move(text),
                 WIFEXITED(status) ? WEXITSTATUS(status) : kBySignal + WTERMSIG(status)};
}

std::string find_on_path(const std::string& name, const std::string& path) {
  for (size_t at = 0; at <= path.size();) {
    const size_t end = std::min(path.find(':', at), path.size());
    std::string file = path.substr(at, end - at) + "/" + name;
    struct stat st {};
    if (end > at && access(file.c_str(), X_OK) == 0 && stat(file.c_str(), &st) == 0 &&
        S_ISREG(st.st_mode))
      return file;
    at = end + 1;
  }
  return {};
}

}  // namespace codexos::cli
