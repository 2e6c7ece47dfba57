// SPDX-License-Identifier: Apache-2.0
#include "daemon/exec/landlock_task.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "core/base/binary.h"
#include "core/os/link.h"
#include "core/os/spawn.h"
#include "daemon/exec/landlock_steps.h"
#include "daemon/exec/path_guard.h"
#include "daemon/exec/processes.h"
#include "daemon/exec/shim.h"

namespace codexos::exec {
namespace {

constexpr int kDaemon = 3;
constexpr int kKeeperLooksMs = 200;

[[noreturn]] void give_up_start(const StepFailure& why) {
  (void)send_link(kDaemon, LinkType::failed, to_binary(why), {});
  _exit(125);
}

/// The daemon knows a task by this process: it ends last.
bool tell_process() {
  auto self = open_pidfd(getpid());
  if (!self.ok()) return false;
  const PidInfo info{getpid(), process_start_time(getpid())};
  return send_link(kDaemon, LinkType::pid, to_binary(info), {self->get()}).ok();
}

bool make_pair(LandlockBox& b) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) return false;
  b.to_shim.reset(pair[0]);
  b.to_keeper.reset(pair[1]);
  return true;
}

/// From here on the shim of the task, a child of the keeper.
[[noreturn]] void be_shim(LandlockBox& b, Job& job, std::vector<Fd>& fds) {
  const pid_t keeper = getppid();
  b.to_shim.reset();
  StepFailure why;
  if (!shut_shim_in(b, why)) give_up_start(why);
  if (getppid() != keeper) _exit(0);  // it was killed before we asked to be told
  ShimContext c;
  c.link_fd = kDaemon;
  c.job = &job;
  c.fds = &fds;
  c.layers = std::move(b.layers);
  c.realm = Realm::signal_scope;
  c.wall = &b.task_wall;
  _exit(run_shim(c));
}

class Keeper {
 public:
  Keeper(PathGuard guard, pid_t shim) : guard_(std::move(guard)), shim_(shim) {}
  /// Until nothing of the task is left.
  void run();

 private:
  bool reap();  // false: no child is left
  void on_signals();

  PathGuard guard_;
  pid_t shim_;  // 0: it has ended
  Fd signals_;
};

bool Keeper::reap() {
  for (;;) {
    int status = 0;
    const pid_t pid = waitpid(-1, &status, WNOHANG);
    if (pid < 0 && errno == EINTR) continue;
    if (pid < 0) return false;
    if (pid == 0) return true;
    if (pid == shim_) shim_ = 0;
  }
}

void Keeper::on_signals() {
  signalfd_siginfo s{};
  while (read(signals_.get(), &s, sizeof s) == sizeof s)
    if (s.ssi_signo == SIGUSR1) signal_all(Realm::signal_scope, SIGKILL);
}

void Keeper::run() {
  sigset_t set;
  sigemptyset(&set);
  for (const int s : {SIGCHLD, SIGUSR1, SIGTERM, SIGINT, SIGHUP, SIGQUIT}) sigaddset(&set, s);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  signals_.reset(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  while (reap()) {
    // What the shim left, and what is adopted as that dies: again and again, until it is empty.
    if (shim_ == 0) signal_all(Realm::signal_scope, SIGKILL);
    pollfd p[] = {{signals_.get(), POLLIN, 0}, {guard_.fd(), POLLIN, 0}};
    poll(p, 2, shim_ == 0 || !signals_ ? kKeeperLooksMs : -1);
    on_signals();
    if (p[1].revents != 0) guard_.serve();
  }
}

/// RLIMIT_NPROC counts all processes of the user, here the others' as well: so the task may have
/// what it was given beside those that there are now.
uint64_t threads_of_user() {
  uint64_t out = 0;
  DIR* const dir = opendir("/proc");
  while (const dirent* e = dir != nullptr ? readdir(dir) : nullptr) {
    if (e->d_name[0] < '1' || e->d_name[0] > '9') continue;
    char path[64], text[2048];
    std::snprintf(path, sizeof path, "/proc/%.20s/status", e->d_name);
    const Fd fd(open(path, O_RDONLY | O_CLOEXEC));
    const ssize_t n = fd ? read(fd.get(), text, sizeof text - 1) : -1;
    if (n <= 0) continue;
    text[n] = '\0';
    const char* const user = std::strstr(text, "\nUid:");
    const char* const threads = std::strstr(text, "\nThreads:");
    if (user == nullptr || threads == nullptr || std::strtoull(user + 5, nullptr, 10) != getuid())
      continue;
    out += std::strtoull(threads + 9, nullptr, 10);
  }
  if (dir != nullptr) closedir(dir);
  return out;
}

void count_others_in(Job& job) {
  for (Limit& limit : job.limits) {
    if (limit.resource != RLIMIT_NPROC) continue;
    rlimit own{};
    limit.value += threads_of_user();
    if (getrlimit(RLIMIT_NPROC, &own) == 0 && own.rlim_max != RLIM_INFINITY)
      limit.value = std::min<uint64_t>(limit.value, own.rlim_max);
  }
}

/// Everything but the lock of `alive`, standard error and what it watches: a descriptor of the
/// client that stayed open here would never tell its end.
void keep_only(std::vector<Fd>& fds, int32_t alive) {
  for (size_t i = 0; i < fds.size(); ++i)
    if (static_cast<int32_t>(i) != alive) fds[i].reset();
  close(kDaemon);
}

}  // namespace

int run_landlock() {
  fcntl(kDaemon, F_SETFD, FD_CLOEXEC);
  auto message = recv_link(kDaemon);
  if (!message.ok() || message->type != LinkType::job) return 0;
  StepFailure why;
  auto plan = from_binary<LandlockPlan>(message->payload);
  if (!plan.ok()) give_up_start({"plan", EINVAL, plan.error().message, Cause::start_failed});
  std::vector<Fd> fds = std::move(message->fds);
  LandlockBox b;
  b.plan = &*plan;
  if (!tell_process() || !make_pair(b))
    give_up_start({"keeper", errno, std::strerror(errno), Cause::start_failed});
  if (!check_landlock_plan(*plan, why) || !shut_keeper_in(b, why)) give_up_start(why);
  count_others_in(plan->job);
  const pid_t shim = fork();
  if (shim == 0) be_shim(b, plan->job, fds);
  if (shim < 0) give_up_start({"shim", errno, std::strerror(errno), Cause::start_failed});
  b.to_keeper.reset();
  b.layers.clear();
  keep_only(fds, plan->job.alive_fd);
  // Nothing: the shim could not be shut in, and has told it.
  auto hello = recv_link(b.to_shim.get());
  Fd guard = hello.ok() && !hello->fds.empty() ? std::move(hello->fds[0]) : Fd();
  b.to_shim.reset();
  Keeper(PathGuard(std::move(guard), std::move(b.writable)), shim).run();
  return 0;
}

}  // namespace codexos::exec
