// SPDX-License-Identifier: Apache-2.0
// codexos-exec: builds one sandbox from a finished Plan and stays as the task's shim (PID 1).
//
//   codexos-exec PLAN                          by hand: the plan's bytes in a file, stdio inherited
//   codexos-exec --zygote                      makes helpers, each with a link to the daemon; its
//                                              own link on descriptor 3 (core/base/frames.h), its
//                                              working directory an empty folder to mount on
//   codexos-exec --idmap UID GID HUID HGID     sends a user namespace for idmapped mounts over 3
//   codexos-exec --landlock                    one task without namespaces (landlock_task.h); its
//                                              link on descriptor 3
//   codexos-exec --probe                       tries what a sandbox is made of (core/base/probe.h)
//
// By hand and for a zygote two processes take part (daemon/exec/inner.h).
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
#include "daemon/exec/inner.h"
#include "daemon/exec/landlock_task.h"
#include "daemon/exec/probe.h"
#include "daemon/exec/shim.h"
#include "daemon/exec/steps.h"
#include "daemon/exec/zygote.h"

namespace codexos::exec {
namespace {

void say_failure(const StepFailure& why) {
  std::fprintf(stderr, "codexos-exec: %s: %s\n", why.step.c_str(), why.text.c_str());
}

[[noreturn]] void run_plan(Plan& plan, int map_ready) {
  std::vector<Fd> none;
  Sandbox s;
  s.view = &plan.view;
  s.job = &plan.job;
  s.view_fds = &none;
  s.job_fds = &none;
  s.map_ready = map_ready;
  StepFailure why;
  if (!build_view(s, why) || !build_job(s, why)) {
    say_failure(why);
    _exit(125);
  }
  ShimContext c;
  c.job = &plan.job;
  c.fds = &none;
  c.seams = std::move(s.seams);
  c.network = std::move(s.network);
  c.view = &plan.view;
  c.layers = std::move(s.layers);
  _exit(run_shim(c));
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
  StepFailure why;
  pid_t child = -1;
  if (!check_view(plan->view, why) ||
      !clone_inner(
          plan->view.uid, plan->view.gid, namespaces_of(plan->view),
          [&plan](int map_ready) { run_plan(*plan, map_ready); }, child, why)) {
    say_failure(why);
    return 125;
  }
  signal(SIGINT, SIG_IGN);  // the terminal sends it to the task as well
  signal(SIGQUIT, SIG_IGN);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int run_zygote() {
  for (const int fd : {kZygoteLink, kZygoteWake}) fcntl(fd, F_SETFD, FD_CLOEXEC);
  auto message = recv_link(kZygoteLink);
  if (!message.ok() || message->type != LinkType::zygote) return 0;
  StepFailure why;
  auto view = from_binary<View>(message->payload);
  if (!view.ok()) {
    refuse_all({"view", EINVAL, view.error().message, Cause::start_failed});
    return 125;
  }
  std::string().swap(message->payload);  // every task would have it in its memory
  pid_t child = -1;
  const auto inner = [&](int map_ready) { serve_helpers(*view, message->fds, map_ready); };
  if (check_view(*view, why) && clone_inner(view->uid, view->gid, CLONE_NEWNS, inner, child, why))
    return 0;
  refuse_all(why);
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
    (void)send_link(kZygoteLink, LinkType::failed, to_binary(why), {});
    return 125;
  }
  return send_link(kZygoteLink, LinkType::parked, "", {ns->get()}).ok() ? 0 : 1;
}

}  // namespace
}  // namespace codexos::exec

int main(int argc, char** argv) {
  using namespace codexos::exec;  // NOLINT: the only user of this namespace
  if (argc == 2 && std::strcmp(argv[1], "--zygote") == 0) return run_zygote();
  if (argc == 2 && std::strcmp(argv[1], "--landlock") == 0) return run_landlock();
  if (argc == 6 && std::strcmp(argv[1], "--idmap") == 0) return run_idmap(argv);
  if (argc == 2 && std::strcmp(argv[1], "--probe") == 0) return run_probe();
  if (argc == 2 && argv[1][0] != '-') return run_by_hand(argv[1]);
  std::fprintf(stderr,
               "usage: codexos-exec PLAN\nStarted by codexosd; PLAN is what `codexosd plan -- CMD` "
               "writes.\n");
  return 2;
}
