// SPDX-License-Identifier: Apache-2.0
// A process in namespaces of its own, whose id maps its parent writes from outside: the only way
// that works with and without root (user_namespaces(7)).
#pragma once

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/base/error.h"
#include "core/base/fd.h"
#include "core/base/frames.h"
#include "core/base/plan.h"

namespace codexos::exec {

inline constexpr char kContainerHint[] =
    " (in a container: docker run --security-opt seccomp=unconfined --security-opt "
    "apparmor=unconfined "
    "--security-opt systempaths=unconfined; podman: --security-opt unmask=ALL as well)";

/// Without privilege a single line that maps oneself, and setgroups denied first. errno as the
/// failed call set it.
Status write_id_maps(pid_t pid, const IdMap& uid, const IdMap& gid);

/// Clones `inner` into a user namespace and `namespaces`, and writes its id maps; it gets the end
/// of a pipe that a byte comes through when they are written.
template <class Body>
bool clone_inner(const IdMap& uid, const IdMap& gid, unsigned long namespaces, Body inner,
                 pid_t& pid, StepFailure& why) {
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
  const Status mapped = write_id_maps(pid, uid, gid);
  if (!mapped) {
    why = {"id maps", errno, mapped.error().message + kContainerHint, Cause::not_isolated};
    kill(pid, SIGKILL);
    return false;
  }
  return write(tell.get(), "x", 1) == 1;
}

}  // namespace codexos::exec
