// SPDX-License-Identifier: Apache-2.0
// codexos-exec: builds one sandbox from a finished Plan and stays as the task's shim (PID 1).
//
//   codexos-exec PLAN                          by hand: the plan's bytes in a file, stdio inherited
//   codexos-exec --helper                      link to the daemon on descriptor 3
//   (core/base/frames.h) codexos-exec --idmap UID GID HUID HGID     sends a user namespace for
//   idmapped mounts over 3
//
// Two processes take part: the outer one clones the inner one into its namespaces, writes the id
// maps from outside (the only way that works with and without root), reports the inner one's pid,
// and leaves.
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "core/base/binary.h"
#include "core/base/outcome.h"
#include "core/os/file.h"
#include "core/os/link.h"
#include "core/os/mount.h"
#include "core/os/spawn.h"
#include "daemon/exec/shim.h"
#include "daemon/exec/steps.h"

namespace codexos::exec {
namespace {

constexpr int kLinkFd = 3;

/// What both kinds of start share: the inner process' view of its orders.
struct Orders {
  int link = -1;  // -1: by hand
  View view;
  Job job;
  std::vector<Fd> view_fds;
  std::vector<Fd> job_fds;
};

constexpr char kContainerHint[] =
    " (in a container: docker run --security-opt seccomp=unconfined --security-opt "
    "apparmor=unconfined "
    "--security-opt systempaths=unconfined; podman: --security-opt unmask=ALL as well)";

void say_failure(const StepFailure& why) {
  std::fprintf(stderr, "codexos-exec: %s: %s\n", why.step.c_str(), why.text.c_str());
}

[[noreturn]] void fail(const Orders& o, const StepFailure& why) {
  if (o.link >= 0)
    (void)send_link(o.link, LinkType::failed, to_binary(why), {});
  else
    say_failure(why);
  _exit(125);
}

// Everything that stands open in the parent is closed here but what the orders name.
[[noreturn]] void inner(Orders& o, int map_ready) {
  umask(022);  // of the view's own folders; the program's comes with the job
  Sandbox s;
  s.view = &o.view;
  s.job = &o.job;
  s.view_fds = &o.view_fds;
  s.job_fds = &o.job_fds;
  s.map_ready = map_ready;
  StepFailure why;
  if (!build_view(s, why)) fail(o, why);
  if (o.link >= 0) {
    if (!send_link(o.link, LinkType::parked, "", {})) _exit(0);
    auto message = recv_link(o.link);
    // A parked helper whose daemon has gone, or which is not needed, ends in silence.
    if (!message.ok() || message->type != LinkType::job) _exit(0);
    auto job = from_binary<Job>(message->payload);
    if (!job.ok()) fail(o, {"job", EINVAL, job.error().message, Cause::start_failed});
    o.job = *std::move(job);
    o.job_fds = std::move(message->fds);
  }
  if (!build_job(s, why)) fail(o, why);
  ShimContext c;
  c.link_fd = o.link;
  c.job = &o.job;
  c.fds = &o.job_fds;
  _exit(run_shim(c));
}

Status write_text(const std::string& path, const std::string& text) {
  const Fd fd(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd || write(fd.get(), text.data(), text.size()) < 0)
    return errno_error("write " + path, errno);
  return {};
}

// user_namespaces(7): without privilege a single line that maps oneself, and setgroups denied
// first.
Status write_maps(pid_t pid, const View& view) {
  const std::string dir = "/proc/" + std::to_string(pid) + "/";
  const auto line = [](const IdMap& m) {
    return std::to_string(m.inside) + " " + std::to_string(m.host) + " 1\n";
  };
  if (geteuid() != 0) CODEXOS_TRY(write_text(dir + "setgroups", "deny"));
  CODEXOS_TRY(write_text(dir + "uid_map", line(view.uid)));
  return write_text(dir + "gid_map", line(view.gid));
}

struct Inner {
  pid_t pid = -1;
  Fd pidfd;
};

// clone(2) with all namespaces at once; the raw call behaves like fork with a null stack.
bool clone_inner(Orders& o, Inner& out, StepFailure& why) {
  int ready[2];
  if (pipe2(ready, O_CLOEXEC) < 0) {
    why = {"pipe", errno, std::strerror(errno), Cause::start_failed};
    return false;
  }
  int pidfd = -1;
  unsigned long flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS |
                        CLONE_NEWCGROUP | CLONE_PIDFD | SIGCHLD;
  if (!o.view.host_network) flags |= CLONE_NEWNET;
  const long pid = syscall(SYS_clone, flags, nullptr, &pidfd, nullptr, 0);
  if (pid == 0) {
    close(ready[1]);
    inner(o, ready[0]);
  }
  const int error = errno;
  close(ready[0]);
  const Fd tell(ready[1]);
  if (pid < 0) {
    why = {"namespaces", error, std::string("clone: ") + std::strerror(error) + kContainerHint,
           Cause::not_isolated};
    return false;
  }
  out.pid = static_cast<pid_t>(pid);
  out.pidfd.reset(pidfd);
  const Status mapped = write_maps(out.pid, o.view);
  if (!mapped) {
    why = {"id maps", EPERM, mapped.error().message + kContainerHint, Cause::not_isolated};
    kill(out.pid, SIGKILL);
    return false;
  }
  if (write(tell.get(), "x", 1) != 1) return false;
  return true;
}

int run_by_hand(const char* path) {
  auto bytes = read_file(path, 16 << 20);
  if (!bytes.ok()) {
    std::fprintf(stderr, "codexos-exec: %s\n", bytes.error().message.c_str());
    return 125;
  }
  auto plan = from_binary<Plan>(*bytes);
  if (!plan.ok()) {
    std::fprintf(stderr, "codexos-exec: %s: not a plan: %s\n", path, plan.error().message.c_str());
    return 125;
  }
  Orders o;
  o.view = std::move(plan->view);
  o.job = std::move(plan->job);
  StepFailure why;
  Inner child;
  if (!check_view(o.view, why) || !clone_inner(o, child, why)) {
    say_failure(why);
    return 125;
  }
  signal(SIGINT, SIG_IGN);  // the terminal sends it to the task as well
  signal(SIGQUIT, SIG_IGN);
  int status = 0;
  while (waitpid(child.pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int run_helper() {
  Orders o;
  o.link = kLinkFd;
  fcntl(kLinkFd, F_SETFD, FD_CLOEXEC);
  auto message = recv_link(kLinkFd);
  if (!message.ok() || message->type != LinkType::park) return 0;
  StepFailure why;
  auto view = from_binary<View>(message->payload);
  if (!view.ok()) {
    why = {"view", EINVAL, view.error().message, Cause::start_failed};
  } else {
    o.view = *std::move(view);
    o.view_fds = std::move(message->fds);
    Inner child;
    if (check_view(o.view, why) && clone_inner(o, child, why)) {
      const PidInfo info{child.pid, process_start_time(child.pid)};
      return send_link(kLinkFd, LinkType::pid, to_binary(info), {child.pidfd.get()}).ok() ? 0 : 1;
    }
  }
  (void)send_link(kLinkFd, LinkType::failed, to_binary(why), {});
  return 125;
}

int run_idmap(char** argv) {
  const auto number = [argv](int i) {
    return static_cast<uint32_t>(std::strtoul(argv[i], nullptr, 10));
  };
  auto ns = make_idmap_userns(number(2), number(3), number(4), number(5));
  if (!ns.ok()) {
    const StepFailure why{"id map", EPERM, ns.error().message + kContainerHint,
                          Cause::not_isolated};
    (void)send_link(kLinkFd, LinkType::failed, to_binary(why), {});
    return 125;
  }
  return send_link(kLinkFd, LinkType::parked, "", {ns->get()}).ok() ? 0 : 1;
}

}  // namespace
}  // namespace codexos::exec

int main(int argc, char** argv) {
  using namespace codexos::exec;  // NOLINT: the only user of this namespace
  if (argc == 2 && std::strcmp(argv[1], "--helper") == 0) return run_helper();
  if (argc == 6 && std::strcmp(argv[1], "--idmap") == 0) return run_idmap(argv);
  if (argc == 2 && argv[1][0] != '-') return run_by_hand(argv[1]);
  std::fprintf(stderr,
               "usage: codexos-exec PLAN\nStarted by codexosd; PLAN is what `codexosd plan -- CMD` "
               "writes.\n");
  return 2;
}
