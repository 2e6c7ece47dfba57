// SPDX-License-Identifier: Apache-2.0
#include "daemon/exec/zygote.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <malloc.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/base/binary.h"
#include "core/os/file.h"
#include "core/os/link.h"
#include "core/os/spawn.h"
#include "daemon/exec/shim.h"
#include "daemon/exec/spare_networks.h"
#include "daemon/exec/steps.h"

namespace codexos::exec {
namespace {

constexpr int kLink = 3;  // a helper's own
constexpr int kWake = 4;  // its eventfd

[[noreturn]] void fail(const StepFailure& why) {
  (void)send_link(kLink, LinkType::failed, to_binary(why), {});
  _exit(125);
}

struct Request {
  Fd link, wake;
};

/// Until the eventfd says that there is a message, or the daemon is gone (wake_by() in
/// daemon/sandbox/helpers.h says why the message alone does not wake).
Result<LinkMessage> next_message() {
  pollfd fds[] = {{kLink, 0, 0}, {kWake, POLLIN, 0}};
  while (poll(fds, 2, -1) < 0 && errno == EINTR) {
  }
  uint64_t count = 0;
  (void)!read(kWake, &count, sizeof count);
  return recv_link(kLink);
}

/// What the job will probably bring is mounted while nobody waits. Where it cannot be, nothing is
/// said, and the job does it or says why.
void prepare_overlay(Sandbox& s, LinkMessage& m) {
  const auto overlay = from_binary<Overlay>(m.payload);
  *s.job_fds = std::move(m.fds);
  const bool mounted = overlay.ok() && mount_ahead(s, *overlay).ok();
  s.job_fds->clear();
  if (mounted && !send_link(kLink, LinkType::overlaid, "", {})) _exit(0);
}

/// A parked helper whose daemon has gone, or which is not needed, ends in silence.
LinkMessage wait_for_job(Sandbox& s) {
  for (;;) {
    auto message = next_message();
    if (!message.ok()) _exit(0);
    if (message->type == LinkType::overlay) {
      prepare_overlay(s, *message);
      continue;
    }
    if (message->type != LinkType::job) _exit(0);
    close(kWake);
    return *std::move(message);
  }
}

/// The sockets of its network namespace, for the daemon to serve.
bool tell_network(const Network& n) {
  return n.empty() || send_link(kLink, LinkType::network, to_binary(n.sockets), n.numbers()).ok();
}

/// All descriptors from `first` on but those.
void close_others(int first, std::vector<int> kept) {
  std::sort(kept.begin(), kept.end());
  const auto close_range = [](int from, unsigned to) {
    syscall(SYS_close_range, static_cast<unsigned>(from), to, 0U);
  };
  for (const int fd : kept) {
    if (fd > first) close_range(first, static_cast<unsigned>(fd - 1));
    first = fd + 1;
  }
  close_range(first, ~0U);
}

/// The whole view, for helpers that put the shared units together by themselves: once the template
/// is built, nobody else needs the text of their files. Empty: the text stays.
Fd put_text_aside(View& view) {
  Fd whole(memfd_create("codexos-view", MFD_CLOEXEC));
  if (!whole || !write_all(whole.get(), to_binary(view)).ok()) return Fd();
  for (Mount& m : view.mounts)
    if (m.kind == MountKind::file && m.role == MountRole::etc) std::string().swap(m.content);
  malloc_trim(0);
  return whole;
}

Result<View> whole_view(int from) {
  struct stat st {};
  if (fstat(from, &st) < 0) return errno_error("stat the view", errno);
  std::string bytes(static_cast<size_t>(st.st_size), '\0');
  if (pread(from, bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
    return errno_error("read the view", EIO);
  return from_binary<View>(bytes);
}

/// From here on a process of its own, PID 1 of the task's pid namespace.
[[noreturn]] void be_helper(View& view, int whole, const SpawnRequest& how, const Request& r,
                            bool network_ready, Network network) {
  // Nothing of the zygote's stays open but standard error, the daemon's log.
  constexpr int kAbove = 16;
  const int wake = fcntl(r.wake.get(), F_DUPFD_CLOEXEC, kAbove);
  for (Fd& fd : network.fds)
    if (fd.get() <= kWake) fd.reset(fcntl(fd.get(), F_DUPFD_CLOEXEC, kAbove));
  dup3(r.link.get(), kLink, O_CLOEXEC);
  dup3(wake, kWake, O_CLOEXEC);
  if (how.own_units && whole >= 0) {
    auto again = whole_view(whole);
    if (!again.ok()) fail({"view", EIO, again.error().message, Cause::start_failed});
    view = *std::move(again);
  }
  close_others(kWake + 1, network.numbers());
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
  s.network_ready = network_ready;
  s.network = std::move(network);
  StepFailure why;
  if (!build_view_of_helper(s, why)) fail(why);
  if (!tell_network(s.network) || !send_link(kLink, LinkType::parked, "", {})) _exit(0);
  LinkMessage message = wait_for_job(s);
  auto told = from_binary<Job>(message.payload);
  if (!told.ok()) fail({"job", EINVAL, told.error().message, Cause::start_failed});
  job = *std::move(told);
  job_fds = std::move(message.fds);
  const size_t sockets = s.network.fds.size();
  if (!build_job(s, why)) fail(why);
  if (s.network.fds.size() > sockets && !tell_network(s.network)) _exit(0);
  ShimContext c;
  c.link_fd = kLink;
  c.job = &job;
  c.fds = &job_fds;
  c.seams = std::move(s.seams);
  c.network = std::move(s.network);
  c.view = &view;
  c.layers = std::move(s.layers);
  _exit(run_shim(c));
}

void spawn_helper(View& view, int whole, const SpawnRequest& how, const Request& r,
                  SpareNetworks& networks) {
  Network network;
  const bool lent = !view.host_network && networks.enter(network).ok();
  const unsigned long own = namespaces_of(view) & ~(lent ? CLONE_NEWNET : 0UL);
  int pidfd = -1;
  const long pid =
      syscall(SYS_clone, own | CLONE_NEWUSER | CLONE_PIDFD | SIGCHLD, nullptr, &pidfd, nullptr, 0);
  if (pid == 0) be_helper(view, whole, how, r, lent, std::move(network));
  if (pid < 0) {
    const StepFailure why{"namespaces", errno, std::string("clone: ") + std::strerror(errno),
                          Cause::not_isolated};
    (void)send_link(r.link.get(), LinkType::failed, to_binary(why), {});
    return;
  }
  Fd process(pidfd);
  const auto child = static_cast<pid_t>(pid);
  const PidInfo info{child, process_start_time(child)};
  (void)send_link(r.link.get(), LinkType::pid, to_binary(info), {process.get()});
  if (lent) networks.lend(std::move(process));
}

/// The next request, or the end of this process.
SpawnRequest next_request(Request& r, SpareNetworks& networks) {
  for (;;) {
    networks.wait_for(kZygoteLink, kZygoteWake);
    uint64_t one = 0;
    (void)!read(kZygoteWake, &one, sizeof one);
    auto message = recv_link(kZygoteLink);
    if (!message.ok()) _exit(0);
    if (message->type != LinkType::spawn || message->fds.size() != 2) continue;
    const auto how = from_binary<SpawnRequest>(message->payload);
    r.link = std::move(message->fds[0]);
    r.wake = std::move(message->fds[1]);
    if (how.ok()) return *how;
  }
}

}  // namespace

unsigned long namespaces_of(const View& view) {
  return CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP |
         (view.host_network ? 0UL : static_cast<unsigned long>(CLONE_NEWNET));
}

void serve_helpers(View& view, std::vector<Fd>& view_fds, int map_ready) {
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
  const Fd whole = put_text_aside(view);
  signal(SIGCHLD, SIG_IGN);  // helpers are the daemon's, by their pidfds: nobody waits for them
  SpareNetworks networks(view.network);
  for (;;) {
    Request r;
    const SpawnRequest how = next_request(r, networks);
    spawn_helper(view, whole.get(), how, r, networks);
  }
}

void refuse_all(const StepFailure& why) {
  (void)send_link(kZygoteLink, LinkType::failed, to_binary(why), {});
  const std::vector<NetlinkBatch> no_batches;
  SpareNetworks none(no_batches);
  for (;;) {
    Request r;
    (void)next_request(r, none);
    (void)send_link(r.link.get(), LinkType::failed, to_binary(why), {});
  }
}

}  // namespace codexos::exec
