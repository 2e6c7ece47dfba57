// SPDX-License-Identifier: Apache-2.0
#include "cli/program.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "core/os/file.h"

namespace codexos::cli {
namespace {

constexpr size_t kMaxText = 1 << 20;

Result<std::string> read_all(int fd, int64_t patience_ms) {
  auto text = read_until_end(fd, patience_ms, kMaxText);
  if (!text.ok() && text.error().code == Code::timeout)
    return Error{Code::timeout, fmt::format("it did not end in {} s", patience_ms / 1000), {}};
  return text;
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
