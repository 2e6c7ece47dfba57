// SPDX-License-Identifier: Apache-2.0
#include "daemon/exec/zygote.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/base/binary.h"
#include "core/os/link.h"
#include "core/os/spawn.h"
#include "daemon/exec/shim.h"
#include "daemon/exec/steps.h"

namespace codexos::exec {
namespace {

constexpr int kLink = 3;  // a helper's own

[[noreturn]] void fail(const StepFailure& why) {
  (void)send_link(kLink, LinkType::failed, to_binary(why), {});
  _exit(125);
}

/// From here on a process of its own, PID 1 of the task's pid namespace.
[[noreturn]] void be_helper(const View& view, const SpawnRequest& how, int link) {
  // Nothing of the zygote's stays open but standard error, the daemon's log.
  if (link != kLink) dup3(link, kLink, O_CLOEXEC);
  syscall(SYS_close_range, static_cast<unsigned>(kLink + 1), ~0U, 0U);
  signal(SIGCHLD, SIG_DFL);
  setsid();
  std::vector<Fd> view_fds, job_fds;
  Job job;
  Sandbox s;
  s.view = &view;
  s.job = &job;
  s.view_fds = &view_fds;
  s.job_fds = &job_fds;
  s.held = true;
  s.shared_units = !how.own_units;
  StepFailure why;
  if (!build_view_of_helper(s, why)) fail(why);
  if (!send_link(kLink, LinkType::parked, "", {})) _exit(0);
  auto message = recv_link(kLink);
  // A parked helper whose daemon has gone, or which is not needed, ends in silence.
  if (!message.ok() || message->type != LinkType::job) _exit(0);
  auto told = from_binary<Job>(message->payload);
  if (!told.ok()) fail({"job", EINVAL, told.error().message, Cause::start_failed});
  job = *std::move(told);
  job_fds = std::move(message->fds);
  if (!build_job(s, why)) fail(why);
  ShimContext c;
  c.link_fd = kLink;
  c.job = &job;
  c.fds = &job_fds;
  _exit(run_shim(c));
}

void spawn_helper(const View& view, const SpawnRequest& how, const Fd& link) {
  int pidfd = -1;
  const long pid = syscall(SYS_clone, namespaces_of(view) | CLONE_NEWUSER | CLONE_PIDFD | SIGCHLD,
                           nullptr, &pidfd, nullptr, 0);
  if (pid == 0) be_helper(view, how, link.get());
  if (pid < 0) {
    const StepFailure why{"namespaces", errno, std::string("clone: ") + std::strerror(errno),
                          Cause::not_isolated};
    (void)send_link(link.get(), LinkType::failed, to_binary(why), {});
    return;
  }
  const Fd process(pidfd);
  const auto child = static_cast<pid_t>(pid);
  const PidInfo info{child, process_start_time(child)};
  (void)send_link(link.get(), LinkType::pid, to_binary(info), {process.get()});
}

/// The next request, or the end of this process.
SpawnRequest next_request(Fd& link) {
  for (;;) {
    auto message = recv_link(kZygoteLink);
    if (!message.ok()) _exit(0);
    if (message->type != LinkType::spawn || message->fds.size() != 1) continue;
    const auto how = from_binary<SpawnRequest>(message->payload);
    link = std::move(message->fds.front());
    if (how.ok()) return *how;
  }
}

}  // namespace

unsigned long namespaces_of(const View& view) {
  return CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP |
         (view.host_network ? 0UL : static_cast<unsigned long>(CLONE_NEWNET));
}

void serve_helpers(const View& view, std::vector<Fd>& view_fds, int map_ready) {
  Job none;
  std::vector<Fd> no_fds;
  Sandbox s;
  s.view = &view;
  s.job = &none;
  s.view_fds = &view_fds;
  s.job_fds = &no_fds;
  s.map_ready = map_ready;
  StepFailure why;
  if (!build_template(s, why)) {
    refuse_all(why);
    _exit(125);
  }
  close(map_ready);
  signal(SIGCHLD, SIG_IGN);  // helpers are the daemon's, by their pidfds: nobody waits for them
  for (;;) {
    Fd link;
    const SpawnRequest how = next_request(link);
    spawn_helper(view, how, link);
  }
}

void refuse_all(const StepFailure& why) {
  (void)send_link(kZygoteLink, LinkType::failed, to_binary(why), {});
  for (;;) {
    Fd link;
    (void)next_request(link);
    (void)send_link(link.get(), LinkType::failed, to_binary(why), {});
  }
}

}  // namespace codexos::exec
