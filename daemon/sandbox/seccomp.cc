// SPDX-License-Identifier: Apache-2.0
// The syscall filter of a task and of the shim beside it: some BPF programs per profile.
//
//   allow  what is not in kAllowed answers ENOSYS (programs then fall back), known-denied calls
//   answer
//          EPERM (programs then say why). Never KILL: a program that asks is not an attack.
//          It is loaded before the set-up and lets the calls pass that this needs.
//   deny   allows by default and refuses by argument (denials()). Loaded with it.
//   seal   allows by default and refuses what the set-up still did (kSetUp, is_of_set_up), as the
//          tables say. Loaded last.
//   notify allows by default and asks the shim's worker (daemon/exec/seam_worker.h): where an
//          overlay would show that it is one (kNotified), and about what is refused and told
//          (is_told). The seal then is one without those rows: an errno outranks the question. What
//          is told is only what the kernel refuses as well, without the capability or the namespace
//          that it takes, so that nothing hangs on the worker. Loaded where there is an overlay.
//   learn  instead asks about every call that names a path (kNaming), for the task's programs only:
//          the worker itself makes such calls.
//
//   alone  allows by default and refuses what only a namespace would make harmless (kAlone): for
//          tasks without one (--isolation landlock), loaded with allow and deny.
//   guard  allows by default and asks the task's keeper about modes and times (kGuarded,
//          daemon/exec/path_guard.h), for the same tasks.
//
// Two for the refusals, because libseccomp drops a conditional denial in silence when the same
// program also allows the call without conditions: TIOCSTI got through that way. The kernel runs
// both and takes the stricter answer. Arguments are compared as the kernel reads them: an `int` on
// its low 32 bits, or on all 64 where a stray high bit then only makes the answer "no". This is the
// home of libseccomp.
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <map>
#include <memory>
#include <optional>

#include "core/base/fd.h"
#include "core/base/split.h"
#include "daemon/sandbox/sandbox.h"

namespace codexos::daemon {
namespace {

using wire::SeccompProfile;

/// The reason of a row. An empty one does not compile.
struct Why {
  consteval Why(const char* t) : text(t) {  // NOLINT: implicit on purpose
    if (*t == '\0') throw "a syscall rule needs a reason";
  }
  const char* text;
};

enum class In : int { both, default_only, nested_only };
enum class Answer : int { allow, eperm, enosys };

bool applies(In in, SeccompProfile p) {
  return in == In::both || (in == In::nested_only) == (p == SeccompProfile::nested);
}

/// Calls by name, or `name=number` where libseccomp may not know the name yet (numbers from 424 on
/// are the same on every architecture). A name that this architecture lacks is skipped.
struct Group {
  Answer answer;
  In in;
  const char* calls;
  Why why;
};

constexpr Group kCalls[] = {
    // Files
    {Answer::allow, In::both,
     "read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 lseek sendfile "
     "copy_file_range splice tee vmsplice readahead fadvise64 sync_file_range cachestat=451",
     "reading and writing; the descriptors decide on what"},
    {Answer::allow, In::both,
     "open openat creat close close_range=436 dup dup2 dup3 fcntl flock pipe pipe2",
     "descriptors; the view decides what can be opened"},
    {Answer::allow, In::both,
     "stat fstat lstat newfstatat statx access faccessat faccessat2=439 readlink readlinkat "
     "getdents "
     "getdents64 getcwd chdir fchdir statfs fstatfs name_to_handle_at umask",
     "asking about files; name_to_handle_at serves tools that compare files (find, coreutils), "
     "opening by handle is refused"},
    {Answer::allow, In::both,
     "rename renameat renameat2 mkdir mkdirat rmdir link linkat unlink unlinkat symlink symlinkat "
     "truncate ftruncate fallocate utime utimes futimesat utimensat mknod mknodat",
     "changing files; mknod makes FIFOs, device nodes are refused by the kernel"},
    {Answer::allow, In::both, "chmod fchmod fchmodat fchmodat2=452 chown fchown lchown fchownat",
     "modes and owners; setuid and setgid bits are refused by argument, other owners do not exist "
     "inside"},
    {Answer::allow, In::both,
     "setxattr lsetxattr fsetxattr getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr "
     "removexattr lremovexattr fremovexattr",
     "extended attributes: cp -a, tar, rsync"},
    {Answer::allow, In::both, "sync syncfs fsync fdatasync", "databases and package managers"},
    {Answer::allow, In::both, "inotify_init inotify_init1 inotify_add_watch inotify_rm_watch",
     "file watchers of build tools; their number is limited per task"},
    {Answer::allow, In::both, "io_setup io_destroy io_getevents io_pgetevents io_submit io_cancel",
     "the old asynchronous I/O: databases (MariaDB, fio); it only reaches open descriptors"},
    {Answer::allow, In::both, "ioctl",
     "terminals and sockets; injecting ones are refused by argument"},
    // Memory
    {Answer::allow, In::both,
     "mmap munmap mprotect mremap msync mincore madvise brk mlock mlock2 mlockall munlock "
     "munlockall "
     "remap_file_pages memfd_create pkey_alloc pkey_free pkey_mprotect map_shadow_stack=453 "
     "mseal=462",
     "memory of its own; pkey_* for node, memfd_create for ZGC, mseal for newer libcs"},
    {Answer::allow, In::both,
     "get_mempolicy set_mempolicy mbind set_mempolicy_home_node=450 membarrier",
     "NUMA and barriers: the JVM and databases"},
    {Answer::allow, In::both,
     "shmget shmat shmctl shmdt semget semop semtimedop semctl msgget msgsnd msgrcv msgctl mq_open "
     "mq_unlink mq_timedsend mq_timedreceive mq_notify mq_getsetattr",
     "System V and POSIX IPC: PostgreSQL; the IPC namespace is the task's own"},
    // Processes
    {Answer::allow, In::both,
     "clone fork vfork execve execveat exit exit_group wait4 waitid getpid getppid gettid getpgid "
     "getpgrp setpgid getsid setsid set_tid_address",
     "processes; namespaces are refused by argument"},
    {Answer::allow, In::both, "unshare",
     "unshare(CLONE_FILES) and the like; namespaces are refused by argument"},
    {Answer::allow, In::both,
     "kill tkill tgkill rt_sigqueueinfo rt_tgsigqueueinfo pidfd_open=434 pidfd_send_signal=424 "
     "process_mrelease=448",
     "signals; the pid namespace bounds whom they reach"},
    {Answer::allow, In::both,
     "rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigtimedwait rt_sigsuspend "
     "sigaltstack "
     "pause signalfd signalfd4",
     "signal handling"},
    {Answer::allow, In::both, "restart_syscall",
     "the kernel issues it after SIGSTOP and SIGCONT: without it pause and resume break nanosleep"},
    {Answer::allow, In::both,
     "futex futex_waitv=449 futex_wake=454 futex_wait=455 futex_requeue=456 set_robust_list "
     "get_robust_list rseq",
     "threads"},
    {Answer::allow, In::both,
     "sched_yield sched_setparam sched_getparam sched_setscheduler sched_getscheduler "
     "sched_get_priority_max sched_get_priority_min sched_rr_get_interval sched_setaffinity "
     "sched_getaffinity sched_setattr sched_getattr getpriority setpriority ioprio_set ioprio_get "
     "getcpu",
     "scheduling of its own processes"},
    {Answer::allow, In::both,
     "getuid geteuid getgid getegid getgroups getresuid getresgid setuid setgid setreuid setregid "
     "setresuid setresgid setfsuid setfsgid setgroups capget capset",
     "ids and capabilities: there is one id inside and no capability, so these change nothing"},
    {Answer::allow, In::both, "getrlimit setrlimit prlimit64 getrusage times sysinfo uname",
     "limits can only fall; those of others are refused by argument"},
    {Answer::allow, In::both, "prctl arch_prctl",
     "thread names, no-new-privs, seccomp, TLS: what needs a capability fails without"},
    {Answer::allow, In::both, "ptrace",
     "gdb, strace, LeakSanitizer; the pid namespace is the task's own, the shim is not dumpable, "
     "and "
     "the filter runs after ptrace (since 4.8)"},
    {Answer::allow, In::both, "seccomp",
     "programs that sandbox themselves further: file(1), Chromium, OpenSSH"},
    {Answer::allow, In::both,
     "landlock_create_ruleset=444 landlock_add_rule=445 landlock_restrict_self=446",
     "programs that sandbox themselves further; the shim too"},
    // Time
    {Answer::allow, In::both,
     "nanosleep clock_nanosleep clock_gettime clock_getres gettimeofday time alarm getitimer "
     "setitimer "
     "timer_create timer_settime timer_gettime timer_getoverrun timer_delete timerfd_create "
     "timerfd_settime timerfd_gettime",
     "clocks and timers"},
    // Waiting and sockets
    {Answer::allow, In::both,
     "poll ppoll select pselect6 epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait "
     "epoll_pwait2=441 eventfd eventfd2",
     "waiting for descriptors"},
    {Answer::allow, In::both,
     "socket socketpair bind listen accept accept4 connect getsockname getpeername getsockopt "
     "setsockopt shutdown sendto recvfrom sendmsg recvmsg sendmmsg recvmmsg",
     "sockets; families are refused by argument, the network namespace decides what they reach"},
    {Answer::allow, In::both, "getrandom", "randomness"},
    // What only a program with its own user-namespace sandbox needs
    {Answer::allow, In::nested_only,
     "mount umount2 pivot_root chroot setns sethostname setdomainname",
     "what bwrap and Chromium do in a user namespace of their own; the kernel demands its "
     "capabilities"},
    {Answer::enosys, In::nested_only,
     "open_tree=428 move_mount=429 fsopen=430 fsconfig=431 fsmount=432 fspick=433 "
     "mount_setattr=442 "
     "open_tree_attr=467",
     "the newer mount API: nested sandboxes fall back to mount(2), which is surface enough"},
    // Known and refused
    {Answer::eperm, In::default_only,
     "mount umount2 pivot_root chroot setns sethostname setdomainname open_tree=428 move_mount=429 "
     "fsopen=430 fsconfig=431 fsmount=432 fspick=433 mount_setattr=442 open_tree_attr=467",
     "the view is finished; --seccomp nested is for programs with a sandbox of their own"},
    {Answer::eperm, In::both, "add_key request_key keyctl",
     "keyrings are shared with the user's other processes"},
    {Answer::eperm, In::both, "bpf perf_event_open userfaultfd",
     "kernel interfaces with a long record of privilege escalation"},
    {Answer::eperm, In::both, "process_vm_readv process_vm_writev pidfd_getfd=438 kcmp",
     "reaching into other processes; ptrace is enough for debuggers"},
    {Answer::eperm, In::both, "open_by_handle_at", "opens files that the view does not show"},
    {Answer::eperm, In::both, "fanotify_init fanotify_mark", "watches whole file systems"},
    {Answer::eperm, In::both,
     "kexec_load kexec_file_load init_module finit_module delete_module reboot swapon swapoff acct "
     "quotactl quotactl_fd=443 syslog vhangup iopl ioperm modify_ldt settimeofday clock_settime "
     "adjtimex clock_adjtime migrate_pages move_pages",
     "administration of the host"},
    // Known, and answered as if the kernel were older, so that programs take their other way
    {Answer::enosys, In::both, "clone3=435", "its flags sit in memory; libcs fall back to clone"},
    {Answer::enosys, In::both, "openat2=437",
     "its mode sits in memory (setuid bits); everybody falls back to openat"},
    {Answer::enosys, In::both, "io_uring_setup=425 io_uring_enter=426 io_uring_register=427",
     "does what this filter refuses, unseen by it: an AF_UNIX socket came out of it"},
    {Answer::enosys, In::both, "memfd_secret=447", "memory that no supervisor can read"},
};

constexpr uint64_t kLow32 = 0xffffffff;

/// A refusal by argument. One row may compare an argument only once (libseccomp).
struct Denial {
  In in;
  int err;
  const char* call;
  std::vector<scmp_arg_cmp> when;
  Why why;
};

scmp_arg_cmp low32(unsigned arg, uint64_t value) {
  return {arg, SCMP_CMP_MASKED_EQ, kLow32, value};
}
scmp_arg_cmp bits(unsigned arg, uint64_t set) { return {arg, SCMP_CMP_MASKED_EQ, set, set}; }
scmp_arg_cmp is(unsigned arg, uint64_t value) { return {arg, SCMP_CMP_EQ, value, 0}; }
scmp_arg_cmp not_(unsigned arg, uint64_t value) { return {arg, SCMP_CMP_NE, value, 0}; }
scmp_arg_cmp from(unsigned arg, uint64_t value) { return {arg, SCMP_CMP_GE, value, 0}; }

struct Ioctl {
  uint64_t number;
  Why why;
};
constexpr Ioctl kIoctls[] = {
    {TIOCSTI, "types into the terminal as if the user did"},
    {TIOCLINUX, "pastes into a virtual console"},
    {TIOCSETD, "loads line disciplines, a steady source of kernel bugs"},
    {TIOCCONS, "takes over the console's output"},
};

struct NamespaceFlag {
  uint64_t flag;
  const char* name;
  In in;
  Why why;
};
constexpr NamespaceFlag kNamespaces[] = {
    {CLONE_NEWUSER, "CLONE_NEWUSER", In::default_only,
     "a user namespace gives capabilities over kernel code"},
    {CLONE_NEWNS, "CLONE_NEWNS", In::default_only, "needs a capability; refused at once"},
    {CLONE_NEWPID, "CLONE_NEWPID", In::default_only, "needs a capability; refused at once"},
    {CLONE_NEWNET, "CLONE_NEWNET", In::default_only,
     "a network namespace gives the whole of nf_tables"},
    {CLONE_NEWIPC, "CLONE_NEWIPC", In::default_only, "needs a capability; refused at once"},
    {CLONE_NEWUTS, "CLONE_NEWUTS", In::default_only, "needs a capability; refused at once"},
    {CLONE_NEWCGROUP, "CLONE_NEWCGROUP", In::default_only, "needs a capability; refused at once"},
};
constexpr uint64_t kCloneNewtime = 0x80;  // linux/sched.h; clone(2) reads it as exit signal bits

/// Calls that take a mode. `flags`: the argument that must hold O_CREAT or O_TMPFILE for the mode
/// to be read at all (without, it is whatever the register held); -1: always read.
struct ModeCall {
  const char* call;
  unsigned mode;
  int flags;
};
constexpr ModeCall kModes[] = {
    {"chmod", 1, -1},   {"fchmod", 1, -1}, {"fchmodat", 2, -1}, {"fchmodat2=452", 2, -1},
    {"creat", 1, -1},   {"mkdir", 1, -1},  {"mkdirat", 2, -1},  {"mknod", 1, -1},
    {"mknodat", 2, -1}, {"open", 2, 1},    {"openat", 3, 2},
};
constexpr uint64_t kTmpfileBit =
    static_cast<uint64_t>(O_TMPFILE) & ~static_cast<uint64_t>(O_DIRECTORY);

void add_socket_denials(std::vector<Denial>& out) {
  // Compared on 64 bits: high bits only make the answer "no".
  constexpr Why why =
      "only UNIX, INET, INET6 and NETLINK: other families are kernel surface nobody needs";
  for (uint64_t family = 0; family <= AF_NETLINK; ++family) {
    if (family == AF_UNIX || family == AF_INET || family == AF_INET6 || family == AF_NETLINK)
      continue;
    out.push_back({In::both, EAFNOSUPPORT, "socket", {is(0, family)}, why});
  }
  out.push_back({In::both, EAFNOSUPPORT, "socket", {from(0, AF_NETLINK + 1)}, why});
  out.push_back(
      {In::both,
       EPROTONOSUPPORT,
       "socket",
       {is(0, AF_NETLINK), not_(2, 0)},
       "of netlink only ROUTE, for getifaddrs: XFRM and NETFILTER are root-only kernel code"});
  out.push_back({In::both,
                 EAFNOSUPPORT,
                 "socketpair",
                 {not_(0, AF_UNIX)},
                 "pairs exist for UNIX sockets only"});
}

void add_mode_denials(std::vector<Denial>& out) {
  constexpr Why why =
      "a setuid or setgid program made here would run with the user's rights for others";
  for (const auto& m : kModes)
    for (const uint64_t bit : {uint64_t{S_ISUID}, uint64_t{S_ISGID}}) {
      if (m.flags < 0) {
        out.push_back({In::both, EPERM, m.call, {bits(m.mode, bit)}, why});
        continue;
      }
      for (const uint64_t create : {uint64_t{O_CREAT}, kTmpfileBit})
        out.push_back({In::both,
                       EPERM,
                       m.call,
                       {bits(static_cast<unsigned>(m.flags), create), bits(m.mode, bit)},
                       why});
    }
}

std::vector<Denial> denials() {
  std::vector<Denial> out;
  for (const auto& row : kIoctls)
    out.push_back({In::both, EPERM, "ioctl", {low32(1, row.number)}, row.why});
  for (const auto& row : kNamespaces)
    for (const char* call : {"clone", "unshare"})
      out.push_back({row.in, EPERM, call, {bits(0, row.flag)}, row.why});
  out.push_back({In::both,
                 EPERM,
                 "unshare",
                 {bits(0, kCloneNewtime)},
                 "no sandbox needs a clock of its own"});
  add_socket_denials(out);
  add_mode_denials(out);
  out.push_back(
      {In::both,
       EPERM,
       "prlimit64",
       {not_(0, 0), not_(1, RLIMIT_LOCKS), not_(2, 0)},
       "setting limits of another process, the shim above all (its CPU limit would kill it); "
       "RLIMIT_LOCKS has no effect since Linux 2.4, and is how the worker marks a process"});
  return out;
}

/// A call that is looked at before the kernel does it. `flags`: the argument whose bit kUnwatched
/// lets the call pass, for the worker's own; -1: always looked at.
struct Notified {
  const char* call;
  int flags;
  uint64_t unless;  // further bits of `flags` with which it passes
  Why why;
};
constexpr Notified kNotified[] = {
    {"rename", -1, 0, "an overlay refuses to rename a folder that was there before (EXDEV)"},
    {"renameat", -1, 0, "an overlay refuses to rename a folder that was there before (EXDEV)"},
    {"renameat2", 4, 0, "an overlay refuses to rename a folder that was there before (EXDEV)"},
    {"link", -1, 0, "the inode number of a file that was there before changes when it is linked"},
    {"linkat", 4, AT_EMPTY_PATH,
     "the inode number of a file that was there before changes when it is linked; what is linked "
     "by descriptor was made inside"},
    {"landlock_restrict_self=446", -1, 0,
     "who has taken rights from itself is not served: the worker would act with more"},
};

/// What a task without namespaces is refused, and with which errno: what would reach others of the
/// same user, or what Landlock (ABI 6) leaves open.
struct AloneRow {
  int err;
  const char* calls;
  Why why;
};
constexpr AloneRow kAlone[] = {
    {EPERM, "socket connect bind listen",
     "Landlock does not stop connect(2) to the host's UNIX sockets: docker.sock, D-Bus, codexosd"},
    {ENOSYS,
     "shmget shmat shmctl shmdt semget semop semtimedop semctl msgget msgsnd msgrcv msgctl mq_open "
     "mq_unlink mq_timedsend mq_timedreceive mq_notify mq_getsetattr",
     "without an IPC namespace they are those of the user's other programs"},
    {EPERM, "chown fchown lchown fchownat", "Landlock leaves owners and groups of files open"},
    {EOPNOTSUPP, "setxattr lsetxattr fsetxattr removexattr lremovexattr fremovexattr",
     "Landlock leaves attributes of files open"},
    {ENOSYS, "utime utimes futimesat", "Landlock leaves times open; utimensat is judged"},
    {ENOSYS, "inotify_init inotify_init1 inotify_add_watch",
     "watches folders that may not be read, and its quota is the user's"},
};

/// The same, by argument.
std::vector<Denial> alone_denials() {
  std::vector<Denial> out;
  constexpr uint64_t kTypeMask = 0xf;  // net/socket.h; the rest are flags
  for (uint64_t type = 0; type <= kTypeMask; ++type)
    if (type != SOCK_STREAM && type != SOCK_SEQPACKET)
      out.push_back({In::both,
                     EPERM,
                     "socketpair",
                     {{1, SCMP_CMP_MASKED_EQ, kTypeMask, type}},
                     "one of a pair of datagram sockets can be sent from to any address: "
                     "sendmsg(2), whose target sits in memory"});
  constexpr uint64_t kOwnProcess = 0, kIoOwnProcess = 1;  // PRIO_PROCESS, IOPRIO_WHO_PROCESS
  constexpr Why others = "without a pid namespace it reaches the user's other processes";
  out.push_back({In::both, EPERM, "setpriority", {not_(0, kOwnProcess)}, others});
  out.push_back({In::both, EPERM, "setpriority", {not_(1, 0)}, others});
  out.push_back({In::both, EPERM, "ioprio_set", {not_(0, kIoOwnProcess)}, others});
  out.push_back({In::both, EPERM, "ioprio_set", {not_(1, 0)}, others});
  for (const char* call :
       {"sched_setaffinity", "sched_setscheduler", "sched_setparam", "sched_setattr"})
    out.push_back({In::both, EPERM, call, {not_(0, 0)}, others});
  constexpr uint64_t kTypeOfIoctl = 0xff00;
  for (const uint64_t type : {0x66, 0x58, 0x94, 0xf5, 0xbc})  // f, X, btrfs, f2fs, bcachefs
    out.push_back({In::both,
                   ENOTTY,
                   "ioctl",
                   {{1, SCMP_CMP_MASKED_EQ, kTypeOfIoctl, type << 8}},
                   "flags, encryption and subvolumes of files that may only be read: Landlock "
                   "judges ioctls of devices alone"});
  return out;
}

/// What the keeper of such a task judges.
constexpr const char* kGuarded = "chmod fchmod fchmodat fchmodat2=452 utimensat";

/// What codexos-exec still does behind the allow-list: mounts, its root, its paths, its names.
constexpr const char* kSetUp =
    "mount umount2 pivot_root open_tree=428 move_mount=429 fsopen=430 fsconfig=431 fsmount=432 "
    "mount_setattr=442 open_tree_attr=467 openat2=437 keyctl sethostname setns";

/// The refusals by argument of what it does itself: namespaces, and netlink for its own network.
bool is_of_set_up(const Denial& d) {
  const std::string_view call = d.call;
  return call == "clone" || call == "unshare" || (call == "socket" && d.err == EPROTONOSUPPORT);
}

/// What `nested` would allow: refused so that it is told, since there is an option.
bool is_told(const Group& g) { return g.answer == Answer::eperm && g.in == In::default_only; }
bool is_told(const Denial& d) { return d.in == In::default_only && is_of_set_up(d); }

/// Calls that name a path, for --learn: what was looked for, whatever was to be done with it.
constexpr const char* kNaming =
    "open openat creat stat lstat newfstatat statx access faccessat faccessat2=439 readlink "
    "readlinkat execve execveat chdir";

/// personality(2): allowed by value, so it lives in the allow program.
constexpr uint64_t kPersonalities[] = {0, kLow32, ADDR_NO_RANDOMIZE};
constexpr Why kPersonalityWhy =
    "asking, and no address randomisation for gdb and TSan; emulations are refused";

struct Release {
  void operator()(void* c) const { seccomp_release(c); }
};
using Filter = std::unique_ptr<void, Release>;

/// The number for `name` or `name=number`. Negative pseudo numbers: this architecture lacks the
/// call.
Result<int> number_of(std::string_view call) {
  if (const size_t eq = call.find('='); eq != std::string_view::npos)
    return std::stoi(std::string(call.substr(eq + 1)));
  const int nr = seccomp_syscall_resolve_name(std::string(call).c_str());
  if (nr == __NR_SCMP_ERROR)
    return Error{Code::internal, "libseccomp does not know " + std::string(call), {}};
  return nr;
}

Status add(void* filter, uint32_t action, std::string_view call,
           const std::vector<scmp_arg_cmp>& when) {
  CODEXOS_ASSIGN(const int nr, number_of(call));
  if (nr < 0) return {};
  const int rc = seccomp_rule_add_array(filter, action, nr, static_cast<unsigned>(when.size()),
                                        when.empty() ? nullptr : when.data());
  if (rc != 0) return errno_error("seccomp rule for " + std::string(call), -rc);
  return {};
}

Result<Filter> make_filter(uint32_t fallback) {
  Filter f(seccomp_init(fallback));
  if (!f) return Error{Code::internal, "seccomp_init failed", {}};
  // Foreign architectures and x32: as if the kernel were built without them.
  if (const int rc = seccomp_attr_set(f.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS));
      rc != 0)
    return errno_error("seccomp attribute", -rc);
  // A binary tree instead of a list: worth 0.03 of a start. Older libraries do without.
  (void)seccomp_attr_set(f.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);
  return f;
}

/// libseccomp 2.5 has no export to memory: through a memfd.
Result<std::string> export_bpf(void* filter) {
  Fd fd(memfd_create("seccomp", MFD_CLOEXEC));
  if (!fd) return errno_error("memfd_create", errno);
  if (const int rc = seccomp_export_bpf(filter, fd.get()); rc != 0)
    return errno_error("seccomp_export_bpf", -rc);
  const off_t size = lseek(fd.get(), 0, SEEK_END);
  std::string out(static_cast<size_t>(size), '\0');
  if (pread(fd.get(), out.data(), out.size(), 0) != size) return errno_error("read memfd", errno);
  return out;
}

uint32_t action_of(Answer a) {
  if (a == Answer::allow) return SCMP_ACT_ALLOW;
  return a == Answer::eperm ? SCMP_ACT_ERRNO(EPERM) : SCMP_ACT_ERRNO(ENOSYS);
}

/// What a task gets for each call of the table that is not ENOSYS like all others.
std::map<std::string, Answer> answers(SeccompProfile p) {
  std::map<std::string, Answer> out;
  for (const auto& g : kCalls)
    if (applies(g.in, p) && g.answer != Answer::enosys)
      for (auto& call : split(g.calls)) out.emplace(std::move(call), g.answer);
  return out;
}

Result<std::string> make_allow(SeccompProfile p) {
  CODEXOS_ASSIGN(const Filter f, make_filter(SCMP_ACT_ERRNO(ENOSYS)));
  auto table = answers(p);
  for (const auto& call : split(kSetUp)) table[call] = Answer::allow;
  for (const auto& [call, answer] : table) CODEXOS_TRY(add(f.get(), action_of(answer), call, {}));
  for (const uint64_t value : kPersonalities)
    CODEXOS_TRY(add(f.get(), SCMP_ACT_ALLOW, "personality", {low32(0, value)}));
  return export_bpf(f.get());
}

/// The calls of the set-up that are refused so that it is told.
std::vector<std::string> told_calls() {
  const auto of_set_up = split(kSetUp);
  std::vector<std::string> out;
  for (const auto& g : kCalls)
    if (is_told(g))
      for (auto& call : split(g.calls))
        if (std::find(of_set_up.begin(), of_set_up.end(), call) != of_set_up.end())
          out.push_back(std::move(call));
  return out;
}

enum class Told : int { refused_here, refused_by_listener };

Result<std::string> make_seal(SeccompProfile p, Told told) {
  CODEXOS_ASSIGN(const Filter f, make_filter(SCMP_ACT_ALLOW));
  auto table = answers(p);
  if (told == Told::refused_by_listener)
    for (const auto& call : told_calls()) table[call] = Answer::allow;
  for (const auto& call : split(kSetUp)) {
    const auto row = table.find(call);
    const Answer answer = row == table.end() ? Answer::enosys : row->second;
    if (answer != Answer::allow) CODEXOS_TRY(add(f.get(), action_of(answer), call, {}));
  }
  for (const auto& d : denials()) {
    if (!applies(d.in, p) || !is_of_set_up(d)) continue;
    if (told == Told::refused_by_listener && is_told(d)) continue;
    CODEXOS_TRY(add(f.get(), SCMP_ACT_ERRNO(static_cast<unsigned>(d.err)), d.call, d.when));
  }
  return export_bpf(f.get());
}

Result<std::string> make_deny(SeccompProfile p) {
  CODEXOS_ASSIGN(const Filter f, make_filter(SCMP_ACT_ALLOW));
  for (const auto& d : denials())
    if (applies(d.in, p) && !is_of_set_up(d))
      CODEXOS_TRY(add(f.get(), SCMP_ACT_ERRNO(static_cast<unsigned>(d.err)), d.call, d.when));
  return export_bpf(f.get());
}

/// Of the seams, and what else is to be asked about.
enum class Further : int { told, naming };

Result<std::string> make_notify(Further further) {
  CODEXOS_ASSIGN(const Filter f, make_filter(SCMP_ACT_ALLOW));
  const bool told = further == Further::told;
  for (const auto& call : told ? told_calls() : split(kNaming))
    CODEXOS_TRY(add(f.get(), SCMP_ACT_NOTIFY, call, {}));
  for (const auto& d : denials())
    if (told && is_told(d)) CODEXOS_TRY(add(f.get(), SCMP_ACT_NOTIFY, d.call, d.when));
  for (const auto& n : kNotified) {
    std::vector<scmp_arg_cmp> when;
    if (n.flags >= 0)
      when.push_back(
          {static_cast<unsigned>(n.flags), SCMP_CMP_MASKED_EQ, kUnwatched | n.unless, 0});
    CODEXOS_TRY(add(f.get(), SCMP_ACT_NOTIFY, n.call, when));
  }
  return export_bpf(f.get());
}

Result<SeccompPrograms> compile(SeccompProfile p) {
  SeccompPrograms out;
  CODEXOS_ASSIGN(out.allow, make_allow(p));
  CODEXOS_ASSIGN(out.seal, make_seal(p, Told::refused_here));
  CODEXOS_ASSIGN(out.deny, make_deny(p));
  // None in `nested`: a program with a sandbox of its own may want a listener, and there is one for
  // each process only (seccomp_unotify(2), EBUSY).
  if (p == SeccompProfile::nested) return out;
  CODEXOS_ASSIGN(out.notify, make_notify(Further::told));
  CODEXOS_ASSIGN(out.learn, make_notify(Further::naming));
  CODEXOS_ASSIGN(out.seal_told, make_seal(p, Told::refused_by_listener));
  return out;
}

Result<AlonePrograms> compile_alone() {
  AlonePrograms out;
  CODEXOS_ASSIGN(const Filter alone, make_filter(SCMP_ACT_ALLOW));
  const auto refuse = [](int err) { return SCMP_ACT_ERRNO(static_cast<unsigned>(err)); };
  for (const auto& row : kAlone)
    for (const auto& call : split(row.calls))
      CODEXOS_TRY(add(alone.get(), refuse(row.err), call, {}));
  for (const auto& d : alone_denials())
    CODEXOS_TRY(add(alone.get(), refuse(d.err), d.call, d.when));
  CODEXOS_ASSIGN(out.alone, export_bpf(alone.get()));
  CODEXOS_ASSIGN(const Filter guard, make_filter(SCMP_ACT_ALLOW));
  for (const auto& call : split(kGuarded)) CODEXOS_TRY(add(guard.get(), SCMP_ACT_NOTIFY, call, {}));
  CODEXOS_ASSIGN(out.guard, export_bpf(guard.get()));
  return out;
}

std::string_view name_of_answer(Answer a) {
  constexpr std::string_view kNames[] = {"allowed", "EPERM", "ENOSYS"};
  return kNames[static_cast<int>(a)];
}

std::string name_of_errno(int err) {
  return err == EPERM ? "EPERM" : err == EAFNOSUPPORT ? "EAFNOSUPPORT" : "EPROTONOSUPPORT";
}

std::string bare(std::string_view call) { return std::string(call.substr(0, call.find('='))); }

}  // namespace

Result<SeccompPrograms> seccomp_programs(SeccompProfile p) {
  // 2 ms each: once per process and profile.
  static const std::array<Result<SeccompPrograms>, 2> kCompiled = {
      compile(SeccompProfile::default_), compile(SeccompProfile::nested)};
  return kCompiled.at(p == SeccompProfile::nested ? 1 : 0);
}

Result<AlonePrograms> alone_programs() {
  static const Result<AlonePrograms> kCompiled = compile_alone();
  return kCompiled;
}

std::optional<ToldCall> told_call(int number, uint64_t first) {
  for (const auto& g : kCalls) {
    if (!is_told(g)) continue;
    for (const auto& call : split(g.calls))
      if (const auto nr = number_of(call); nr.ok() && *nr == number)
        return ToldCall{bare(call), g.why.text};
  }
  for (const char* call : {"clone", "unshare"}) {
    if (const auto nr = number_of(call); !nr.ok() || *nr != number) continue;
    for (const auto& row : kNamespaces)
      if ((first & row.flag) != 0)
        return ToldCall{std::string(call) + " " + row.name, row.why.text};
  }
  return std::nullopt;
}

std::vector<std::string> seccomp_table(SeccompProfile p) {
  std::vector<std::string> out;
  for (const auto& g : kCalls) {
    if (!applies(g.in, p)) continue;
    for (const auto& call : split(g.calls))
      out.push_back(bare(call) + ": " + std::string(name_of_answer(g.answer)) + ": " + g.why.text);
  }
  out.push_back(std::string("personality: by argument: ") + kPersonalityWhy.text);
  std::string last;
  for (const auto& d : denials()) {
    if (!applies(d.in, p)) continue;
    std::string row = bare(d.call) + ": " + name_of_errno(d.err) + " by argument: " + d.why.text;
    if (row != last) out.push_back(row);
    last = std::move(row);
  }
  if (p != SeccompProfile::nested)
    for (const auto& n : kNotified)
      out.push_back(bare(n.call) + ": looked at in an overlay workspace: " + n.why.text);
  return out;
}

}  // namespace codexos::daemon
