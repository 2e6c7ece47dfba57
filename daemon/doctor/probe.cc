// SPDX-License-Identifier: Apache-2.0
#include "daemon/doctor/probe.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "core/base/binary.h"
#include "core/os/file.h"
#include "core/os/spawn.h"

namespace codexos::daemon {
namespace {

constexpr int64_t kPatienceMs = 10000;
constexpr size_t kMaxAnswer = 1 << 20;

Result<std::string> read_answer(int fd) {
  auto answer = read_until_end(fd, kPatienceMs, kMaxAnswer);
  if (!answer.ok() && answer.error().code == Code::timeout)
    return Error{Code::timeout, "it did not answer in 10 seconds", {}};
  if (answer.ok() && answer->size() >= kMaxAnswer)
    return Error{Code::unavailable, "its answer is too long", {}};
  return answer;
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
