// SPDX-License-Identifier: Apache-2.0
#include "daemon/exec/seams.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <new>

#include "daemon/exec/cgroup_files.h"
#include "daemon/exec/seam_caller.h"

namespace codexos::exec {
namespace {

constexpr unsigned kWaitKillable = 1U << 5;  // SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV

void close_others(int a, int b) {
  const auto low = static_cast<unsigned>(std::min(a, b));
  const auto high = static_cast<unsigned>(std::max(a, b));
  if (low > 0) syscall(SYS_close_range, 0U, low - 1, 0U);
  if (high - low > 1) syscall(SYS_close_range, low + 1, high - 1, 0U);
  syscall(SYS_close_range, high + 1, ~0U, 0U);
}

}  // namespace

Result<CallListener> listen_for_calls(const void* program, size_t bytes) {
  sock_fprog prog{};
  prog.len = static_cast<unsigned short>(bytes / sizeof(sock_filter));
  prog.filter = static_cast<sock_filter*>(const_cast<void*>(program));  // NOLINT: only read
  CallListener out;
  for (const bool stay : {true, false}) {
    const unsigned flags = SECCOMP_FILTER_FLAG_NEW_LISTENER | (stay ? kWaitKillable : 0U);
    out.fd.reset(static_cast<int>(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog)));
    out.callers_stay = stay;
    if (out.fd || errno != EINVAL) break;
  }
  if (out.fd || errno == EBUSY) return out;
  return errno_error("seccomp listener", errno);
}

Seams::Seams(CallListener listener, std::vector<int> cgroup)
    : listener_(std::move(listener)), cgroup_(std::move(cgroup)) {
  clock_gettime(CLOCK_REALTIME_COARSE, &began_);
}

Seams::~Seams() {
  if (shared_ != nullptr) munmap(shared_, sizeof *shared_);
}

void Seams::learn(CallListener listener) {
  listener_ = std::move(listener);
  start_worker();
}

// Without a worker (none could be forked, or it was killed from outside) its callers would wait for
// ever: without a listener the kernel tells them that there is none.
void Seams::serve_until(int fd) {
  for (;;) {
    if (!reader_) listener_.fd.reset();
    pollfd p[2] = {{fd, POLLIN, 0}, {reader_.get(), POLLIN, 0}};
    if (poll(p, 2, -1) < 0) continue;
    if (p[0].revents != 0) return;
    while (serve_worker(reader_.get(), refused_)) {
    }
    if ((p[1].revents & (POLLHUP | POLLERR)) != 0) reader_.reset();
  }
}

void Seams::watch(PollSet& polls) {
  listener_poll_ = worker_ == 0 ? polls.add(listener_.fd.get(), POLLIN) : -1;
  reader_poll_ = polls.add(reader_.get(), POLLIN);
}

void Seams::react(const PollSet& polls) {
  if (polls.ready(reader_poll_) & POLLIN)
    while (serve_worker(reader_.get(), refused_)) {
    }
  if (polls.ready(listener_poll_) & POLLIN) start_worker();
}

void Seams::start_worker() {
  if (shared_ == nullptr) {
    void* const page = mmap(nullptr, sizeof(SeamsShared), PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) return answer_all();
    shared_ = new (page) SeamsShared;
  }
  if (closed_) shared_->closed.store(true);
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) return answer_all();
  reader_.reset(ends[0]);
  const Fd theirs(ends[1]);
  const pid_t pid = fork();
  if (pid == 0) be_worker(theirs.get());
  if (pid > 0) {
    worker_ = pid;
    return;
  }
  reader_.reset();
  answer_all();
}

// _exit without destructors: what stands in this memory is the shim's.
void Seams::be_worker(int reader) {
  (void)join_cgroup(cgroup_);
  close_others(listener_.fd.get(), reader);
  run_seam_worker({listener_.fd.get(), reader, shared_, listener_.callers_stay, began_});
  _exit(0);
}

// Without a worker (no process may be started any more), callers get what the kernel says.
void Seams::answer_all() {
  pollfd p{listener_.fd.get(), POLLIN, 0};
  while (poll(&p, 1, 0) == 1 && (p.revents & POLLIN) != 0) {
    seccomp_notif n{};
    if (ioctl(listener_.fd.get(), SECCOMP_IOCTL_NOTIF_RECV, &n) < 0) continue;
    if (is_refused(n.data.nr)) {
      refused_.push_back({n.data.nr, n.data.args[0], {}, {}});
      refuse(listener_.fd.get(), n.id);
      continue;
    }
    closed_ = closed_ || needs_mark(n.data.nr);
    let_through(listener_.fd.get(), n.id);
  }
}

bool Seams::clean_up() {
  if (shared_ == nullptr || !shared_->is_making.load()) return false;
  const pid_t pid = fork();
  if (pid == 0) {
    clean_up_after_mover(*shared_);
    _exit(0);
  }
  return pid > 0;
}

bool Seams::on_child(pid_t pid) {
  if (worker_ == 0 || pid != worker_) return false;
  worker_ = 0;
  while (serve_worker(reader_.get(), refused_)) {
  }
  reader_.reset();
  if (const uint64_t id = shared_->refusing.exchange(0); id != 0 && listener_.fd)
    refuse(listener_.fd.get(), id);
  if (shared_->marking.exchange(false)) shared_->closed.store(true);
  for (auto& slot : shared_->waiting)
    if (const uint64_t id = slot.exchange(0); id != 0 && listener_.fd)
      let_through(listener_.fd.get(), id);
  return true;
}

}  // namespace codexos::exec
