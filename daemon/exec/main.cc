// SPDX-License-Identifier: Apache-2.0
// codexos-exec: builds one sandbox from a finished Plan and stays as the task's shim (PID 1).
//
//   codexos-exec PLAN                          by hand: the plan's bytes in a file, stdio inherited
//   codexos-exec --zygote                      makes helpers, each with a link to the daemon; its
//                                              own link on descriptor 3 (core/base/frames.h), its
//                                              working directory an empty folder to mount on
//   codexos-exec --idmap UID GID HUID HGID     sends a user namespace for idmapped mounts over 3
//
// By hand and for a zygote two processes take part: the outer one clones the inner one into its
// namespaces and writes the id maps from outside, the only way that works with and without root.
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
#include "daemon/exec/zygote.h"

namespace codexos::exec {
namespace {

constexpr char kContainerHint[] =
    " (in a container: docker run --security-opt seccomp=unconfined --security-opt "
    "apparmor=unconfined "
    "--security-opt systempaths=unconfined; podman: --security-opt unmask=ALL as well)";

void say_failure(const StepFailure& why) {
  std::fprintf(stderr, "codexos-exec: %s: %s\n", why.step.c_str(), why.text.c_str());
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

/// Clones `inner` into namespaces of its own and writes its id maps; it gets the end of a pipe that
/// a byte comes through when they are written.
template <class Body>
bool clone_inner(const View& view, unsigned long namespaces, Body inner, pid_t& pid,
                 StepFailure& why) {
  int ready[2];
  if (pipe2(ready, O_CLOEXEC) < 0) {
    why = {"pipe", errno, std::strerror(errno), Cause::start_failed};
    return false;
  }
  const long cloned =
      syscall(SYS_clone, namespaces | CLONE_NEWUSER | SIGCHLD, nullptr, nullptr, nullptr, 0);
  if (cloned == 0) {
    close(ready[1]);
    umask(022);  // of the view's own folders; the program's comes with the job
    inner(ready[0]);
    _exit(125);
  }
  const int error = errno;
  close(ready[0]);
  const Fd tell(ready[1]);
  if (cloned < 0) {
    why = {"namespaces", error, std::string("clone: ") + std::strerror(error) + kContainerHint,
           Cause::not_isolated};
    return false;
  }
  pid = static_cast<pid_t>(cloned);
  const Status mapped = write_maps(pid, view);
  if (!mapped) {
    why = {"id maps", EPERM, mapped.error().message + kContainerHint, Cause::not_isolated};
    kill(pid, SIGKILL);
    return false;
  }
  return write(tell.get(), "x", 1) == 1;
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
          plan->view, namespaces_of(plan->view),
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
  fcntl(kZygoteLink, F_SETFD, FD_CLOEXEC);
  auto message = recv_link(kZygoteLink);
  if (!message.ok() || message->type != LinkType::zygote) return 0;
  StepFailure why;
  auto view = from_binary<View>(message->payload);
  if (!view.ok()) {
    refuse_all({"view", EINVAL, view.error().message, Cause::start_failed});
    return 125;
  }
  message->payload = {};
  pid_t child = -1;
  const auto inner = [&](int map_ready) { serve_helpers(*view, message->fds, map_ready); };
  if (check_view(*view, why) && clone_inner(*view, CLONE_NEWNS, inner, child, why)) return 0;
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
  if (argc == 6 && std::strcmp(argv[1], "--idmap") == 0) return run_idmap(argv);
  if (argc == 2 && argv[1][0] != '-') return run_by_hand(argv[1]);
  std::fprintf(stderr,
               "usage: codexos-exec PLAN\nStarted by codexosd; PLAN is what `codexosd plan -- CMD` "
               "writes.\n");
  return 2;
}
