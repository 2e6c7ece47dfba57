// SPDX-License-Identifier: Apache-2.0
// Loads the programs of a profile in a child and calls every denial, with and without high bits.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <string>
#include <vector>

#include "daemon/sandbox/sandbox.h"

namespace codexos::daemon {
namespace {

using wire::SeccompProfile;

constexpr unsigned long kHigh = 1UL << 32;
constexpr int kAnything = -1;  // the filter lets it through; what the kernel says does not matter

struct Probe {
  const char* name;
  int expected;  // errno, 0: success, kAnything: neither ENOSYS nor a refusal of the filter's
  std::function<long()> call;
};

bool install(const std::string& bpf) {
  sock_fprog prog{};
  prog.len = static_cast<unsigned short>(bpf.size() / sizeof(sock_filter));
  std::vector<sock_filter> code(prog.len);
  std::copy(bpf.begin(), bpf.end(), reinterpret_cast<char*>(code.data()));
  prog.filter = code.data();
  return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) == 0;
}

// Runs all probes in a child behind the programs; errno per probe, 9999: the child never got
// there.
std::vector<int> run(SeccompProfile profile, const std::vector<Probe>& probes,
                     const std::string& further = {}, const std::string& seal = {}) {
  const auto programs = seccomp_programs(profile);
  REQUIRE(programs.ok());
  const size_t size = probes.size() * sizeof(int);
  auto* const seen = static_cast<int*>(
      mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  std::fill(seen, seen + probes.size(), 9999);
  const pid_t pid = fork();
  if (pid == 0) {
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || !install(programs->allow) ||
        !install(programs->deny) || !install(seal.empty() ? programs->seal : seal) ||
        (!further.empty() && !install(further)))
      _exit(1);
    for (size_t i = 0; i < probes.size(); ++i) {
      errno = 0;
      const long r = probes[i].call();
      seen[i] = r < 0 ? errno : 0;
    }
    _exit(0);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  CHECK(status == 0);
  std::vector<int> out(seen, seen + probes.size());
  munmap(seen, size);
  return out;
}

void check(SeccompProfile profile, const std::vector<Probe>& probes) {
  const auto seen = run(profile, probes);
  for (size_t i = 0; i < probes.size(); ++i) {
    CAPTURE(probes[i].name);
    if (probes[i].expected != kAnything) {
      CHECK(seen[i] == probes[i].expected);
      continue;
    }
    CHECK(seen[i] != ENOSYS);
    CHECK(seen[i] != 9999);
  }
}

std::vector<Probe> always() {
  std::vector<Probe> p;
  for (const unsigned long nr : {TIOCSTI, TIOCLINUX, TIOCSETD, TIOCCONS}) {
    p.push_back({"terminal ioctl", EPERM, [=] { return syscall(SYS_ioctl, -1, nr, 0); }});
    p.push_back({"terminal ioctl, high bits", EPERM,
                 [=] { return syscall(SYS_ioctl, -1, nr | kHigh, 0); }});
  }
  p.push_back({"TIOCGWINSZ", EBADF, [] { return syscall(SYS_ioctl, -1, TIOCGWINSZ, 0); }});
  for (unsigned long family = 0; family < 50; ++family) {
    const bool ok =
        family == AF_UNIX || family == AF_INET || family == AF_INET6 || family == AF_NETLINK;
    p.push_back({"socket family", ok ? 0 : EAFNOSUPPORT, [=] {
                   return syscall(SYS_socket, family, family == AF_NETLINK ? SOCK_RAW : SOCK_STREAM,
                                  0);
                 }});
    if (!ok)
      p.push_back({"socket family, high bits", EAFNOSUPPORT,
                   [=] { return syscall(SYS_socket, family | kHigh, SOCK_RAW, 0); }});
  }
  for (unsigned long proto = 1; proto < 24; ++proto) {
    p.push_back({"netlink protocol", EPROTONOSUPPORT,
                 [=] { return syscall(SYS_socket, AF_NETLINK, SOCK_RAW, proto); }});
    p.push_back({"netlink protocol, high bits", EPROTONOSUPPORT,
                 [=] { return syscall(SYS_socket, AF_NETLINK, SOCK_RAW, proto | kHigh); }});
    p.push_back({"netlink, both with high bits", EAFNOSUPPORT,
                 [=] { return syscall(SYS_socket, AF_NETLINK | kHigh, SOCK_RAW, proto | kHigh); }});
  }
  static int pair[2];
  p.push_back({"socketpair", 0, [] { return socketpair(AF_UNIX, SOCK_STREAM, 0, pair); }});
  p.push_back(
      {"socketpair TIPC", EAFNOSUPPORT, [] { return socketpair(30, SOCK_STREAM, 0, pair); }});

  for (const unsigned long bit : {04000UL, 02000UL})
    for (const unsigned long mode : {bit | 0755UL, bit, bit | 0755UL | kHigh}) {
      p.push_back({"chmod", EPERM, [=] { return syscall(SYS_chmod, "/nonexistent", mode); }});
      p.push_back({"fchmod", EPERM, [=] { return syscall(SYS_fchmod, -1, mode); }});
      p.push_back({"fchmodat", EPERM, [=] { return syscall(SYS_fchmodat, -1, "x", mode); }});
      p.push_back({"fchmodat2", EPERM, [=] { return syscall(452, -1, "x", mode, 0); }});
      p.push_back({"creat", EPERM, [=] { return syscall(SYS_creat, "/nonexistent/x", mode); }});
      p.push_back({"mkdir", EPERM, [=] { return syscall(SYS_mkdir, "/nonexistent/x", mode); }});
      p.push_back({"mkdirat", EPERM, [=] { return syscall(SYS_mkdirat, -1, "x", mode); }});
      p.push_back({"mknod", EPERM, [=] { return syscall(SYS_mknod, "/nonexistent/x", mode, 0); }});
      p.push_back({"mknodat", EPERM, [=] { return syscall(SYS_mknodat, -1, "x", mode, 0); }});
      for (const unsigned long flags : {0UL | O_CREAT, 0UL | O_TMPFILE, kHigh | O_CREAT}) {
        p.push_back(
            {"open", EPERM, [=] { return syscall(SYS_open, "/nonexistent/x", flags, mode); }});
        p.push_back({"openat", EPERM, [=] { return syscall(SYS_openat, -1, "x", flags, mode); }});
      }
      p.push_back({"open without O_CREAT reads no mode", ENOENT,
                   [=] { return syscall(SYS_open, "/nonexistent", O_RDONLY, mode); }});
      p.push_back({"openat of a directory reads no mode", ENOENT, [=] {
                     return syscall(SYS_openat, AT_FDCWD, "/nonexistent", O_RDONLY | O_DIRECTORY,
                                    mode);
                   }});
    }
  p.push_back(
      {"sticky bit is fine", ENOENT, [] { return syscall(SYS_chmod, "/nonexistent", 01777); }});

  static rlimit limit{10, 10};
  p.push_back(
      {"limits of PID 1", EPERM, [] { return syscall(SYS_prlimit64, 1, RLIMIT_CORE, &limit, 0); }});
  p.push_back({"limits of PID 1, high bits", EPERM,
               [] { return syscall(SYS_prlimit64, kHigh | 1, RLIMIT_CORE, &limit, 0); }});
  p.push_back({"the limit without effect of PID 1, high bits", EPERM,
               [] { return syscall(SYS_prlimit64, 1, kHigh | RLIMIT_LOCKS, &limit, 0); }});
  p.push_back(
      {"its own limits", 0, [] { return syscall(SYS_prlimit64, 0, RLIMIT_CORE, &limit, 0); }});
  p.push_back({"reading another's limits", kAnything,
               [] { return syscall(SYS_prlimit64, getppid(), RLIMIT_CORE, 0, &limit); }});

  for (const unsigned long v : {0xffffffffUL, ~0UL, 0UL, 0UL | ADDR_NO_RANDOMIZE})
    p.push_back({"personality", 0, [=] { return syscall(SYS_personality, v); }});
  for (const unsigned long v : {8UL, 0x0400000UL, kHigh | 8, 0x0040008UL, 0x0020000UL})
    p.push_back(
        {"personality of another system", ENOSYS, [=] { return syscall(SYS_personality, v); }});

  for (const long nr : {435L, 425L, 426L, 427L, 437L, 447L, 999L, 0x40000027L, 0x40000000L})
    p.push_back(
        {"answered as by an older kernel", ENOSYS, [=] { return syscall(nr, 0, 0, 0, 0, 0, 0); }});
  for (const long nr : {0L + SYS_add_key,
                        0L + SYS_request_key,
                        0L + SYS_keyctl,
                        0L + SYS_bpf,
                        0L + SYS_perf_event_open,
                        0L + SYS_userfaultfd,
                        0L + SYS_process_vm_readv,
                        0L + SYS_process_vm_writev,
                        438L,
                        0L + SYS_kcmp,
                        0L + SYS_open_by_handle_at,
                        0L + SYS_fanotify_init,
                        0L + SYS_kexec_load,
                        0L + SYS_init_module,
                        0L + SYS_reboot,
                        0L + SYS_swapon,
                        0L + SYS_syslog,
                        0L + SYS_iopl,
                        0L + SYS_modify_ldt,
                        0L + SYS_clock_settime,
                        0L + SYS_adjtimex})
    p.push_back({"known and refused", EPERM, [=] { return syscall(nr, 0, 0, 0, 0, 0); }});
  p.push_back({"ptrace", ESRCH, [] { return syscall(SYS_ptrace, 16, 0x7fffffff, 0, 0); }});
  p.push_back({"unshare CLONE_NEWTIME", EPERM, [] { return syscall(SYS_unshare, 0x80); }});
  p.push_back({"unshare CLONE_FILES", 0, [] { return syscall(SYS_unshare, CLONE_FILES); }});
  p.push_back({"fork", kAnything, [] {
                 const long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
                 if (pid == 0) _exit(0);
                 return syscall(SYS_wait4, pid, 0, 0, 0);
               }});
  p.push_back({"i386 numbers", ENOSYS, [] {
                 long r = 20;  // getpid of i386
                 __asm__ volatile("int $0x80" : "+a"(r) : : "memory");
                 errno = static_cast<int>(-r);
                 return r;
               }});
  return p;
}

std::vector<Probe> namespaces(int expected_by_filter) {
  std::vector<Probe> p;
  for (const unsigned long flag :
       {0UL | CLONE_NEWUSER, 0UL | CLONE_NEWNS, 0UL | CLONE_NEWPID, 0UL | CLONE_NEWNET,
        0UL | CLONE_NEWIPC, 0UL | CLONE_NEWUTS, 0UL | CLONE_NEWCGROUP})
    for (const unsigned long high : {0UL, kHigh}) {
      p.push_back({"unshare", expected_by_filter, [=] {
                     // An argument that the kernel refuses, so that nothing is unshared when let
                     // through.
                     return syscall(SYS_unshare, flag | high | 1UL);
                   }});
      p.push_back({"clone", expected_by_filter,
                   [=] { return syscall(SYS_clone, flag | high | CLONE_THREAD, 0, 0, 0, 0); }});
    }
  return p;
}

TEST_CASE("both profiles keep every denial, with and without high bits") {
  check(SeccompProfile::default_, always());
  check(SeccompProfile::nested, always());
}

TEST_CASE("the default profile refuses namespaces and mounts") {
  check(SeccompProfile::default_, namespaces(EPERM));
  std::vector<Probe> p;
  for (const long nr :
       {0L + SYS_mount, 0L + SYS_umount2, 0L + SYS_pivot_root, 0L + SYS_chroot, 0L + SYS_setns,
        0L + SYS_sethostname, 428L, 429L, 430L, 431L, 432L, 433L, 442L, 467L})
    p.push_back({"mounting", EPERM, [=] { return syscall(nr, 0, 0, 0, 0, 0); }});
  check(SeccompProfile::default_, p);
}

TEST_CASE("the nested profile lets namespaces and mounts reach the kernel, the new mount API not") {
  check(SeccompProfile::nested, namespaces(EINVAL));
  std::vector<Probe> p;
  for (const long nr : {0L + SYS_mount, 0L + SYS_umount2, 0L + SYS_pivot_root, 0L + SYS_chroot})
    p.push_back({"mounting", kAnything, [=] { return syscall(nr, 0, 0, 0, 0, 0); }});
  for (const long nr : {428L, 429L, 430L, 442L, 467L})
    p.push_back({"new mount API", ENOSYS, [=] { return syscall(nr, 0, 0, 0, 0, 0); }});
  check(SeccompProfile::nested, p);
}

TEST_CASE("a sleep goes on after stop and continue") {
  const auto programs = seccomp_programs(SeccompProfile::default_);
  REQUIRE(programs.ok());
  const pid_t pid = fork();
  if (pid == 0) {
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (!install(programs->allow) || !install(programs->deny) || !install(programs->seal)) _exit(1);
    const timespec t{0, 50'000'000};
    raise(SIGSTOP);
    _exit(syscall(SYS_nanosleep, &t, nullptr) == 0 ? 0 : 2);
  }
  int status = 0;
  waitpid(pid, &status, WUNTRACED);
  kill(pid, SIGCONT);
  usleep(5'000);
  kill(pid, SIGSTOP);  // now inside nanosleep
  waitpid(pid, &status, WUNTRACED);
  if (WIFSTOPPED(status)) {
    kill(pid, SIGCONT);
    waitpid(pid, &status, 0);
  }
  CHECK(status == 0);
}

TEST_CASE("calls that show an overlay's seams wait for an answer, in the default profile only") {
  const auto programs = seccomp_programs(SeccompProfile::default_);
  REQUIRE(programs.ok());
  REQUIRE(!programs->notify.empty());
  CHECK(seccomp_programs(SeccompProfile::nested)->notify.empty());
  // Without a listener such a call answers ENOSYS.
  const std::vector<Probe> probes{
      {"renameat2", ENOSYS, [] { return syscall(SYS_renameat2, -1, "a", -1, "b", 0); }},
      {"renameat2, other high bits", ENOSYS,
       [] { return syscall(SYS_renameat2, -1, "a", -1, "b", kHigh); }},
      {"renameat2 of the worker", EBADF,
       [] { return syscall(SYS_renameat2, -1, "a", -1, "b", kUnwatched); }},
      {"linkat", ENOSYS, [] { return syscall(SYS_linkat, -1, "a", -1, "b", 0); }},
      {"linkat of the worker", EBADF,
       [] { return syscall(SYS_linkat, -1, "a", -1, "b", kUnwatched); }},
      {"linkat by descriptor", EBADF,
       [] { return syscall(SYS_linkat, -1, "", -1, "b", AT_EMPTY_PATH); }},
      {"landlock_restrict_self", ENOSYS, [] { return syscall(446, -1, 0); }},
      {"unlinkat", EBADF, [] { return syscall(SYS_unlinkat, -1, "a", 0); }},
  };
  const auto seen = run(SeccompProfile::default_, probes, programs->notify);
  for (size_t i = 0; i < probes.size(); ++i) {
    CAPTURE(probes[i].name);
    CHECK(seen[i] == probes[i].expected);
  }
}

TEST_CASE("what is told is refused all the same, by the seal or by whoever listens") {
  const auto programs = seccomp_programs(SeccompProfile::default_);
  REQUIRE(programs.ok());
  // Without a listener a call that would be asked about answers ENOSYS: never more than before.
  const std::vector<Probe> told{
      {"mount", ENOSYS, [] { return syscall(SYS_mount, 0, 0, 0, 0, 0); }},
      {"setns", ENOSYS, [] { return syscall(SYS_setns, -1, 0); }},
      {"unshare", ENOSYS, [] { return syscall(SYS_unshare, CLONE_NEWUSER); }},
      {"unshare of files", 0, [] { return syscall(SYS_unshare, CLONE_FILES); }},
      {"clone", ENOSYS, [] { return syscall(SYS_clone, CLONE_NEWNET | SIGCHLD, 0, 0, 0, 0); }},
  };
  // What the kernel itself would not refuse is not told, and stays refused by the seal.
  const std::vector<Probe> silent{
      {"keyctl", EPERM, [] { return syscall(SYS_keyctl, 0, 0, 0, 0, 0); }},
      {"openat2", ENOSYS, [] { return syscall(437, -1, 0, 0, 0); }},
      {"unshare of the clock", EPERM, [] { return syscall(SYS_unshare, 0x80); }},
      {"netlink of netfilter", EPROTONOSUPPORT, [] { return syscall(SYS_socket, 16, 3, 12); }},
  };
  for (const auto* probes : {&told, &silent}) {
    const auto seen = run(SeccompProfile::default_, *probes, programs->notify, programs->seal_told);
    for (size_t i = 0; i < probes->size(); ++i) {
      CAPTURE((*probes)[i].name);
      CHECK(seen[i] == (*probes)[i].expected);
    }
  }
  CHECK(told_call(SYS_mount, 0)->what == "mount");
  CHECK(told_call(SYS_unshare, CLONE_NEWUSER)->what == "unshare CLONE_NEWUSER");
  CHECK(!told_call(SYS_unshare, CLONE_FILES).has_value());
  CHECK(!told_call(SYS_keyctl, 0).has_value());
}

TEST_CASE("every row of the syscall table says why") {
  const auto rows = seccomp_table(SeccompProfile::default_);
  CHECK(rows.size() > 300);
  for (const auto& row : rows) CHECK(row.rfind(": ") + 6 < row.size());
  CHECK(std::find(rows.begin(), rows.end(),
                  "clone3: ENOSYS: its flags sit in memory; libcs fall back to clone") !=
        rows.end());
}

}  // namespace
}  // namespace codexos::daemon
