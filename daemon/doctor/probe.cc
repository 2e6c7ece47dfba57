// SPDX-License-Identifier: Apache-2.0
#include "daemon/doctor/probe.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "core/base/binary.h"
#include "core/base/clock.h"
#include "core/os/file.h"
#include "core/os/spawn.h"

namespace codexos::daemon {
namespace {

constexpr int64_t kPatienceMs = 10000;
constexpr size_t kMaxAnswer = 1 << 20;

Result<std::string> read_answer(int fd) {
  const int64_t until_us = monotonic_us() + kPatienceMs * 1000;
  std::string out;
  char buffer[16 << 10];
  while (out.size() < kMaxAnswer) {
    pollfd p{fd, POLLIN, 0};
    const int64_t left_ms = (until_us - monotonic_us()) / 1000;
    if (left_ms <= 0 || poll(&p, 1, static_cast<int>(left_ms)) == 0)
      return Error{Code::timeout, "it did not answer in 10 seconds", {}};
    const ssize_t n = read(fd, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_error("read", errno);
    if (n == 0) return out;
    out.append(buffer, static_cast<size_t>(n));
  }
  return Error{Code::unavailable, "its answer is too long", {}};
}

Result<KernelProbe> ask(const std::string& exec_path, const ProbeRequest& r) {
  int in[2], out[2];
  if (pipe2(in, O_CLOEXEC) < 0) return errno_error("pipe", errno);
  Fd their_in(in[0]), our_out(in[1]);
  if (pipe2(out, O_CLOEXEC) < 0) return errno_error("pipe", errno);
  Fd our_in(out[0]), their_out(out[1]);
  SpawnOptions o;
  o.path = exec_path;
  o.argv = {"codexos-exec", "--probe"};
  o.fds = {{their_in.get(), STDIN_FILENO}, {their_out.get(), STDOUT_FILENO}};
  CODEXOS_ASSIGN(const pid_t pid, spawn(o));
  their_in.reset();
  their_out.reset();
  // It reads all of it before it does anything; what cannot be written shows as no answer.
  (void)write_all(our_out.get(), to_binary(r));
  our_out.reset();
  auto answer = read_answer(our_in.get());
  if (!answer.ok()) kill(pid, SIGKILL);
  (void)waitpid(pid, nullptr, WNOHANG);  // else the daemon's loop does, as for all children
  if (!answer.ok()) return std::move(answer).error();
  if (answer->empty()) return Error{Code::unavailable, "it ended without an answer", {}};
  return from_binary<KernelProbe>(*answer);
}

}  // namespace

Result<KernelProbe> ask_probe(const std::string& exec_path, const ProbeRequest& r) {
  auto probe = ask(exec_path, r);
  if (!probe.ok()) return std::move(probe).error().during("ask " + exec_path);
  return probe;
}

}  // namespace codexos::daemon
