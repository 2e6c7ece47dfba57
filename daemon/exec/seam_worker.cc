// SPDX-License-Identifier: Apache-2.0
#include "daemon/exec/seam_worker.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/fd.h"
#include "daemon/exec/move_tree.h"
#include "daemon/exec/seam_caller.h"

namespace codexos::exec {
namespace {

constexpr int kIdleMs = 5000;
constexpr uint64_t kSetFlags = 0x40082104;  // SECCOMP_IOCTL_NOTIF_SET_FLAGS; not in older headers
constexpr uint64_t kSyncWakeUp = 1;         // since Linux 6.6: a third of the cost
constexpr int kLandlockRestrictSelf = 446;
constexpr int kFaccessat2 = 439;
constexpr size_t kMostPaths = 4096;
constexpr int kTellTries = 10, kTellMs = 100;
constexpr int kCwd = -1;  // no argument: AT_FDCWD

/// Programs that refuse to go on when a link's inode number is not what it was before, and that
/// copy where they cannot link.
constexpr std::string_view kComparesInodes[] = {"git"};

bool compares_inodes(std::string_view program) {
  for (const auto name : kComparesInodes)
    if (program == name || (program.rfind(name, 0) == 0 && program[name.size()] == '-'))
      return true;
  return false;
}

void send_answer(int listener, const seccomp_notif_resp& r) {
  // ENOENT: the caller is gone, and with it the question.
  while (ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &r) < 0 && errno == EINTR) {
  }
}

bool is_overlay(int dir) {
  struct statfs fs {};
  return fstatfs(dir, &fs) == 0 && fs.f_type == OVERLAYFS_SUPER_MAGIC;
}

struct Object {
  dev_t dev = 0;
  ino_t ino = 0;
  bool operator==(const Object& o) const { return dev == o.dev && ino == o.ino; }
};
Object object_of(int fd) {
  struct stat st {};
  return fstat(fd, &st) == 0 ? Object{st.st_dev, st.st_ino} : Object{};
}

/// A rename that was done while its caller was called away by a signal, and will be asked again
/// (kernels before 5.19 cannot let the caller wait for us).
struct Done {
  pid_t tid = 0;
  Object old_dir, new_dir;
  std::string old_name, new_name;
};

struct RenameCall {
  int nr;
  int old_dirfd, old_path, new_dirfd, new_path, flags;  // argument numbers
};
constexpr RenameCall kRenames[] = {
#ifdef SYS_rename
    {SYS_rename, kCwd, 0, kCwd, 1, kCwd},
#endif
#ifdef SYS_renameat
    {SYS_renameat, 0, 1, 2, 3, kCwd},
#endif
    {SYS_renameat2, 0, 1, 2, 3, 4},
};
struct PathCall {
  int nr;
  int dirfd, path;
};
constexpr PathCall kLinks[] = {
#ifdef SYS_link
    {SYS_link, kCwd, 0},
#endif
    {SYS_linkat, 0, 1},
};

/// What daemon/sandbox/seccomp.cc asks about while a task's needs are learnt.
constexpr PathCall kNaming[] = {
#ifdef SYS_open
    {SYS_open, kCwd, 0},   {SYS_creat, kCwd, 0},   {SYS_stat, kCwd, 0},
    {SYS_lstat, kCwd, 0},  {SYS_access, kCwd, 0},  {SYS_readlink, kCwd, 0},
#endif
    {SYS_openat, 0, 1},    {SYS_newfstatat, 0, 1}, {SYS_statx, 0, 1},
    {SYS_faccessat, 0, 1}, {kFaccessat2, 0, 1},    {SYS_readlinkat, 0, 1},
    {SYS_execve, kCwd, 0}, {SYS_execveat, 0, 1},   {SYS_chdir, kCwd, 0},
};

int dirfd_of(const seccomp_data& d, int argument) {
  return argument == kCwd ? AT_FDCWD : static_cast<int>(d.args[argument]);
}

class Worker {
 public:
  explicit Worker(const SeamWorker& w) : w_(w) {}
  void run();

 private:
  enum class MoverExit : int { answered = 0, not_heard = 2 };

  void receive();
  void handle(const seccomp_notif& n);
  void on_rename(const seccomp_notif& n, const RenameCall& call);
  void on_folder(const seccomp_notif& n, const RenameCall& call, Caller& caller);
  void on_file(const seccomp_notif& n, const RenameCall& call, Caller& caller,
               const struct stat& st);
  void on_link(const seccomp_notif& n, const PathCall& call);
  void on_restrict(const seccomp_notif& n);
  void on_refused(const seccomp_notif& n);
  void on_path(const seccomp_notif& n, const PathCall& call);
  void tell(int call, uint64_t first, const Caller& caller, std::string_view path);
  void move_or_wait(const seccomp_notif& n, Place& from, Place& to, unsigned flags);
  [[noreturn]] void be_mover(const seccomp_notif& n, const Place& from, const Place& to,
                             unsigned flags);
  void mover_ended();
  void work_off();
  bool is_done_already(const seccomp_notif& n, const Place& from, const Place& to);

  bool valid(uint64_t id) const {
    return ioctl(w_.listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
  }
  void answer(uint64_t id, int error);
  void pass(uint64_t id) { let_through(w_.listener, id); }
  void mark_waiting();

  SeamWorker w_;
  // One folder moves at a time: two moves of one tree would make two copies of it.
  pid_t mover_ = 0;
  Fd mover_gone_;  // readable when it has ended
  std::optional<seccomp_notif> moving_;
  Done moving_what_;
  std::vector<seccomp_notif> queue_;
  std::optional<Done> done_;
  GivenPath old_path_, new_path_;
  std::set<std::string> looked_for_;
};

// 0: as if the kernel had done it.
void Worker::answer(uint64_t id, int error) {
  seccomp_notif_resp r{};
  r.id = id;
  r.error = -error;
  send_answer(w_.listener, r);
}

// Slot 0 is the call at hand; the rest is written anew whenever it changes.
void Worker::mark_waiting() {
  size_t slot = 1;
  const auto put = [&](uint64_t id) { w_.shared->waiting[slot++].store(id); };
  put(moving_ ? moving_->id : 0);
  for (const auto& n : queue_) put(n.id);
  while (slot < SeamsShared::kSlots && w_.shared->waiting[slot].load() != 0) put(0);
}

void Worker::run() {
  ioctl(w_.listener, kSetFlags, kSyncWakeUp);
  for (;;) {
    pollfd p[2] = {{w_.listener, POLLIN, 0}, {mover_gone_.get(), POLLIN, 0}};
    const int n = poll(p, 2, mover_ != 0 ? -1 : kIdleMs);
    if (n == 0) return;
    if (n < 0) continue;
    if (p[1].revents != 0) mover_ended();
    if ((p[0].revents & POLLIN) != 0)
      receive();
    else if (p[0].revents != 0)
      return;
  }
}

void Worker::receive() {
  seccomp_notif n{};
  if (ioctl(w_.listener, SECCOMP_IOCTL_NOTIF_RECV, &n) < 0) return;  // it was killed, say
  // First this: when we are killed, the shim lets through, or refuses, what stands in the slot.
  auto& slot = is_refused(n.data.nr) ? w_.shared->refusing : w_.shared->waiting[0];
  if (needs_mark(n.data.nr)) w_.shared->marking.store(true);
  slot.store(n.id, std::memory_order_release);
  handle(n);
  slot.store(0, std::memory_order_release);
  if (needs_mark(n.data.nr)) w_.shared->marking.store(false);
}

void Worker::handle(const seccomp_notif& n) {
  for (const auto& call : kNaming)
    if (call.nr == n.data.nr) return on_path(n, call);
  if (is_refused(n.data.nr)) return on_refused(n);
  if (needs_mark(n.data.nr)) return on_restrict(n);
  if (w_.shared->closed.load(std::memory_order_relaxed)) return pass(n.id);
  for (const auto& call : kRenames)
    if (call.nr == n.data.nr) return on_rename(n, call);
  for (const auto& call : kLinks)
    if (call.nr == n.data.nr) return on_link(n, call);
  pass(n.id);
}

// Told first: a program that ends of it must not be quicker.
void Worker::on_refused(const seccomp_notif& n) {
  tell(n.data.nr, n.data.args[0], Caller(static_cast<pid_t>(n.pid), -1), {});
  refuse(w_.listener, n.id);
}

void Worker::tell(int call, uint64_t first, const Caller& caller, std::string_view path) {
  WorkerMessage m{0, call, first, {}};
  const std::string program = caller.program();
  program.copy(m.program, sizeof m.program - 1);
  iovec parts[2] = {{&m, sizeof m}, {const_cast<char*>(path.data()), path.size()}};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  // Not for ever: the shim reads between other things.
  for (int tries = 0; sendmsg(w_.reader, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 &&
                      errno == EAGAIN && tries < kTellTries;
       ++tries) {
    pollfd p{w_.reader, POLLOUT, 0};
    poll(&p, 1, kTellMs);
  }
}

// Only what could not be found is of interest: what a task reaches, its policy gives already.
void Worker::on_path(const seccomp_notif& n, const PathCall& call) {
  Caller caller(static_cast<pid_t>(n.pid), w_.reader);
  const int dirfd = dirfd_of(n.data, call.dirfd);
  if (caller.read_path(n.data.args[call.path], old_path_) && caller.is_missing(dirfd, old_path_)) {
    const std::string path = caller.absolute(dirfd, old_path_);
    if (!path.empty() && looked_for_.size() < kMostPaths && looked_for_.insert(path).second)
      tell(-1, 0, caller, path);
  }
  pass(n.id);
}

void Worker::on_restrict(const seccomp_notif& n) {
  if (!mark_restricted(static_cast<pid_t>(n.pid)) && valid(n.id)) w_.shared->closed.store(true);
  pass(n.id);
}

void Worker::on_rename(const seccomp_notif& n, const RenameCall& call) {
  Caller caller(static_cast<pid_t>(n.pid), w_.reader);
  struct stat st {};
  if (!caller.read_path(n.data.args[call.old_path], old_path_)) return pass(n.id);
  if (!caller.stat_path(dirfd_of(n.data, call.old_dirfd), old_path_, st)) {
    if (done_ && done_->tid == static_cast<pid_t>(n.pid)) return on_folder(n, call, caller);
    return pass(n.id);
  }
  if (S_ISDIR(st.st_mode)) return on_folder(n, call, caller);
  if (st.st_nlink > 1) return on_file(n, call, caller, st);
  pass(n.id);
}

// Two names of one file: rename(2) then does nothing. Below an overlay it takes them for two files.
void Worker::on_file(const seccomp_notif& n, const RenameCall& call, Caller& caller,
                     const struct stat& st) {
  struct stat other {};
  const bool plain = call.flags == kCwd || static_cast<unsigned>(n.data.args[call.flags]) == 0;
  if (plain && caller.read_path(n.data.args[call.new_path], new_path_) &&
      caller.stat_path(dirfd_of(n.data, call.new_dirfd), new_path_, other) &&
      other.st_dev == st.st_dev && other.st_ino == st.st_ino && other.st_nlink > 1)
    return answer(n.id, 0);
  pass(n.id);
}

void Worker::on_folder(const seccomp_notif& n, const RenameCall& call, Caller& caller) {
  const unsigned flags = call.flags == kCwd ? 0 : static_cast<unsigned>(n.data.args[call.flags]);
  Place from, to;
  if (is_restricted(static_cast<pid_t>(n.pid)) || !caller.same_view() ||
      !caller.read_path(n.data.args[call.new_path], new_path_) ||
      !caller.resolve(dirfd_of(n.data, call.old_dirfd), old_path_, from) ||
      !caller.resolve(dirfd_of(n.data, call.new_dirfd), new_path_, to) ||
      !is_overlay(from.dir.get()))
    return pass(n.id);
  // From here on nothing of the caller is looked at any more: was it the right one?
  if (!valid(n.id)) return;
  if (is_done_already(n, from, to)) return answer(n.id, 0);
  struct stat st {};
  if (fstatat(from.dir.get(), from.name.c_str(), &st, AT_SYMLINK_NOFOLLOW) < 0 ||
      !S_ISDIR(st.st_mode))
    return pass(n.id);
  const int error =
      rename_unwatched(from.dir.get(), from.name.c_str(), to.dir.get(), to.name.c_str(), flags);
  if (error != EXDEV || object_of(from.dir.get()).dev != object_of(to.dir.get()).dev)
    return answer(n.id, error);
  if ((flags & ~static_cast<unsigned>(RENAME_NOREPLACE)) != 0)
    return answer(n.id, EINVAL);  // rename(2): "the filesystem does not support one of the flags"
  move_or_wait(n, from, to, flags);
}

bool Worker::is_done_already(const seccomp_notif& n, const Place& from, const Place& to) {
  if (!done_ || done_->tid != static_cast<pid_t>(n.pid)) return false;
  const Done d = *std::exchange(done_, std::nullopt);
  return d.old_dir == object_of(from.dir.get()) && d.new_dir == object_of(to.dir.get()) &&
         d.old_name == from.name && d.new_name == to.name;
}

void Worker::on_link(const seccomp_notif& n, const PathCall& call) {
  const auto tid = static_cast<pid_t>(n.pid);
  Caller caller(tid, w_.reader);
  if (!compares_inodes(caller.program()) || !caller.read_path(n.data.args[call.path], old_path_))
    return pass(n.id);
  struct statx s {};
  if (statx(AT_FDCWD, old_path_.from(tid, dirfd_of(n.data, call.dirfd)), AT_SYMLINK_NOFOLLOW,
            STATX_MODE | STATX_BTIME, &s) < 0 ||
      !S_ISREG(s.stx_mode))
    return pass(n.id);
  // Made inside, or copied up already. Where that cannot be told, a copy is right as well.
  const bool young = (s.stx_mask & STATX_BTIME) != 0 &&
                     (s.stx_btime.tv_sec > w_.began.tv_sec ||
                      (s.stx_btime.tv_sec == w_.began.tv_sec &&
                       s.stx_btime.tv_nsec >= static_cast<uint32_t>(w_.began.tv_nsec)));
  young ? pass(n.id) : answer(n.id, EXDEV);
}

void Worker::move_or_wait(const seccomp_notif& n, Place& from, Place& to, unsigned flags) {
  if (mover_ != 0) {
    queue_.push_back(n);
    mark_waiting();
    // No more than there are slots: whoever comes next waits in the kernel.
    if (queue_.size() + 3 > SeamsShared::kSlots) mover_ended();
    return;
  }
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) return pass(n.id);
  mover_gone_.reset(ends[0]);
  Fd held(ends[1]);
  moving_ = n;
  mark_waiting();
  mover_ = fork();
  if (mover_ == 0) be_mover(n, from, to, flags);
  if (mover_ > 0) {
    moving_what_ = {static_cast<pid_t>(n.pid), object_of(from.dir.get()), object_of(to.dir.get()),
                    from.name, to.name};
    return;
  }
  mover_ = 0;
  mover_gone_.reset();
  moving_.reset();
  mark_waiting();
  pass(n.id);
}

struct Asker {
  int listener;
  uint64_t id;
  SeamsShared* shared;
};

void note_making(void* asker, const char* path) {
  SeamsShared& s = *static_cast<Asker*>(asker)->shared;
  s.is_making.store(false);
  if (path == nullptr || std::strlen(path) >= sizeof s.making) return;
  std::strcpy(s.making, path);
  s.is_making.store(true);
}

// A process of its own, since a big folder takes its time and others want to go on.
void Worker::be_mover(const seccomp_notif& n, const Place& from, const Place& to, unsigned flags) {
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  Asker asker{w_.listener, n.id, w_.shared};
  TreeMove m{from.dir.get(), from.name.c_str(), to.dir.get(), to.name.c_str(),
             flags,          nullptr,           note_making,  &asker};
  m.wanted = [](void* a) {
    const auto* const who = static_cast<const Asker*>(a);
    return ioctl(who->listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &who->id) == 0;
  };
  // A caller that was called away by a signal asks again; it would do so for ever if its question
  // were given up each time.
  if (!valid(n.id)) _exit(static_cast<int>(MoverExit::answered));
  if (!w_.callers_stay) m.wanted = nullptr;
  const int error = move_tree(m);
  const bool heard = valid(n.id);
  answer(n.id, error);
  _exit(static_cast<int>(heard || error != 0 ? MoverExit::answered : MoverExit::not_heard));
}

void Worker::mover_ended() {
  int status = 0;
  while (waitpid(mover_, &status, 0) < 0 && errno == EINTR) {
  }
  mover_ = 0;
  mover_gone_.reset();
  const seccomp_notif n = *std::exchange(moving_, std::nullopt);
  mark_waiting();
  if (!WIFEXITED(status)) {
    clean_up_after_mover(*w_.shared);
    pass(n.id);
  } else if (WEXITSTATUS(status) == static_cast<int>(MoverExit::not_heard)) {
    done_ = moving_what_;
  }
  work_off();
}

// The first that needs a mover again stops it; the others are looked at anew in their turn.
void Worker::work_off() {
  while (mover_ == 0 && !queue_.empty()) {
    const seccomp_notif n = queue_.front();
    queue_.erase(queue_.begin());
    w_.shared->waiting[0].store(n.id);
    mark_waiting();
    handle(n);
    w_.shared->waiting[0].store(0);
  }
}

// The shortest slice there is: on a busy machine whoever wakes for less than a millisecond is let
// in at once (sched_setattr(2); since Linux 6.12, without effect before).
void run_in_short_slices() {
  struct {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
  } attr{sizeof attr, 0 /* SCHED_OTHER */, 0, getpriority(PRIO_PROCESS, 0), 0, 100000, 0, 0};
  syscall(SYS_sched_setattr, 0, &attr, 0);
}

}  // namespace

void clean_up_after_mover(SeamsShared& shared) {
  if (!shared.is_making.exchange(false)) return;
  shared.making[sizeof shared.making - 1] = '\0';
  remove_tree_copy(shared.making);
}

bool is_refused(int syscall_number) {
  const auto is = [syscall_number](const auto& call) { return call.nr == syscall_number; };
  return !needs_mark(syscall_number) &&
         std::none_of(std::begin(kRenames), std::end(kRenames), is) &&
         std::none_of(std::begin(kLinks), std::end(kLinks), is) &&
         std::none_of(std::begin(kNaming), std::end(kNaming), is);
}

void refuse(int listener, uint64_t id) {
  seccomp_notif_resp r{};
  r.id = id;
  r.error = -EPERM;
  send_answer(listener, r);
}

bool needs_mark(int syscall_number) { return syscall_number == kLandlockRestrictSelf; }

void let_through(int listener, uint64_t id) {
  seccomp_notif_resp r{};
  r.id = id;
  r.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
  send_answer(listener, r);
}

void run_seam_worker(const SeamWorker& w) {
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, nullptr);
  prctl(PR_SET_NAME, "codexos-seams", 0, 0, 0);
  run_in_short_slices();
  umask(0);
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  clean_up_after_mover(*w.shared);  // one before us was killed
  Worker(w).run();
}

}  // namespace codexos::exec
