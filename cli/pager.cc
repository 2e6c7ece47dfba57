// SPDX-License-Identifier: Apache-2.0
#include "cli/pager.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>

#include "cli/render.h"

namespace codexos::cli {
namespace {

bool on_path(const std::string& program) {
  const char* path = getenv("PATH");
  std::string_view rest = path == nullptr ? "" : path;
  while (!rest.empty()) {
    const size_t colon = std::min(rest.find(':'), rest.size());
    if (access((std::string(rest.substr(0, colon)) + "/" + program).c_str(), X_OK) == 0)
      return true;
    rest.remove_prefix(std::min(colon + 1, rest.size()));
  }
  return false;
}

}  // namespace

std::string choose_pager() {
  if (isatty(STDOUT_FILENO) != 1) return {};
  for (const char* name : {"CODEXOS_PAGER", "PAGER"})
    if (const char* value = getenv(name); value != nullptr)
      return std::string_view(value) == "cat" ? "" : value;
  const char* term = getenv("TERM");
  const bool dumb = term == nullptr || std::string_view(term) == "dumb";
  return !dumb && on_path("less") ? "less -FRX" : "";
}

Status Pager::start() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return errno_error("pipe", errno);
  const Fd reader(ends[0]);
  pipe_.reset(ends[1]);
  setenv("LESS", "FRX", 0);
  // ctrl-c is the pager's; when it goes, our next write says so.
  for (const int s : {SIGINT, SIGQUIT, SIGPIPE}) (void)signal(s, SIG_IGN);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, reader.get(), STDIN_FILENO);
  posix_spawnattr_t how;
  posix_spawnattr_init(&how);
  sigset_t back;
  sigemptyset(&back);
  for (const int s : {SIGINT, SIGQUIT, SIGPIPE}) sigaddset(&back, s);
  posix_spawnattr_setsigdefault(&how, &back);
  posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSIGDEF);
  std::string shell = "sh", option = "-c";
  char* const argv[] = {shell.data(), option.data(), command_.data(), nullptr};
  const int error = posix_spawn(&pid_, "/bin/sh", &files, &how, argv, environ);
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&how);
  if (error == 0) return {};
  pid_ = -1;
  pipe_.reset();
  return errno_error("start the pager " + command_, error);
}

Status Pager::write(std::string_view text) {
  if (text.empty() || closed_) return {};
  if (command_.empty()) return print(text);
  if (pid_ < 0) CODEXOS_TRY(start());
  while (!text.empty()) {
    const ssize_t n = ::write(pipe_.get(), text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      closed_ = errno == EPIPE;
      return closed_ ? Status{} : Status(errno_error("write to the pager", errno));
    }
    text.remove_prefix(static_cast<size_t>(n));
  }
  return {};
}

void Pager::finish() {
  pipe_.reset();
  if (pid_ < 0) return;
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
}

}  // namespace codexos::cli
