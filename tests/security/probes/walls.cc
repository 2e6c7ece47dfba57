// SPDX-License-Identifier: Apache-2.0
// Runs inside a task and tries to get through its walls. Every row is a sentence that must be true;
// the exit code is the number of rows that are not (at most 100). Usage: probe-walls
// default|nested.
#include <dirent.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

bool nested = false;
std::string why;

bool refused(long result, int want, const char* what) {
  if (result < 0 && errno == want) return true;
  why += std::string(what) +
         (result < 0 ? std::string(" failed with ") + std::strerror(errno) : " succeeded") +
         ", wanted " + std::strerror(want) + "; ";
  return false;
}
bool fails(long result, const char* what) {
  if (result < 0) return true;
  why += std::string(what) + " succeeded; ";
  return false;
}
bool works(long result, const char* what) {
  if (result >= 0) return true;
  why += std::string(what) + ": " + std::strerror(errno) + "; ";
  return false;
}
std::string read_text(const char* path) {
  std::string out;
  const int fd = open(path, O_RDONLY);
  if (fd < 0) return out;
  char buf[4096];
  for (ssize_t n = 0; (n = read(fd, buf, sizeof buf)) > 0;) out.append(buf, static_cast<size_t>(n));
  close(fd);
  return out;
}
bool status_has(const char* line) {
  if (read_text("/proc/self/status").find(line) != std::string::npos) return true;
  why += std::string("no '") + line + "' in status; ";
  return false;
}

bool no_capabilities() {
  bool ok = true;
  for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"})
    ok &= status_has((std::string(set) + ":\t0000000000000000").c_str());
  return ok;
}
bool no_new_privs() {
  return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 && status_has("Seccomp:\t2");
}
bool not_root() {
  const std::string map = read_text("/proc/self/uid_map");
  unsigned inside = 0, host = 0, count = 0;
  if (std::sscanf(map.c_str(), "%u %u %u", &inside, &host, &count) != 3) return false;
  why = map;
  return getuid() != 0 && inside != 0 && host != 0 && count == 1;
}

bool pid1_memory() {
  bool ok = fails(open("/proc/1/mem", O_RDWR), "open /proc/1/mem");
  ok &= fails(open("/proc/1/environ", O_RDONLY), "open /proc/1/environ");
  ok &= fails(open("/proc/1/maps", O_RDONLY), "open /proc/1/maps");
  ok &= opendir("/proc/1/fd") == nullptr;
  ok &= fails(open("/proc/1/ns/net", O_RDONLY), "open /proc/1/ns/net");
  char link[256];
  ok &= fails(readlink("/proc/1/exe", link, sizeof link), "readlink /proc/1/exe");
  ok &= fails(readlink("/proc/1/root", link, sizeof link), "readlink /proc/1/root");
  return ok;
}
bool pid1_control() {
  bool ok = fails(ptrace(PTRACE_SEIZE, 1, nullptr, nullptr), "ptrace PID 1");
  const long pidfd = syscall(SYS_pidfd_open, 1, 0);
  ok &= fails(syscall(438, pidfd, 0, 0), "pidfd_getfd from PID 1");
  char x[8];
  iovec here{x, 8}, there{reinterpret_cast<void*>(0x400000), 8};
  ok &= fails(process_vm_readv(1, &here, 1, &there, 1, 0), "process_vm_readv of PID 1");
  rlimit r{3, 3};
  ok &= refused(syscall(SYS_prlimit64, 1, RLIMIT_NOFILE, &r, nullptr), EPERM, "prlimit on PID 1");
  for (const int s : {SIGSTOP, SIGTERM, SIGKILL, SIGINT}) kill(1, s);
  return ok && works(getppid() >= 0 ? 0 : -1, "alive");
}
bool pid1_cmdline() {
  const std::string c = read_text("/proc/1/cmdline");
  why = c;
  return c.find('/') == std::string::npos;
}

bool mounts_refused() {
  if (nested) return true;
  bool ok = refused(mount("none", "/tmp", "tmpfs", 0, nullptr), EPERM, "mount");
  ok &= refused(umount2("/proc", MNT_DETACH), EPERM, "umount2");
  ok &= refused(syscall(SYS_pivot_root, ".", "."), EPERM, "pivot_root");
  ok &= fails(syscall(428, AT_FDCWD, "/", 1), "open_tree");
  ok &= fails(syscall(430, "tmpfs", 0), "fsopen");
  ok &= fails(syscall(442, AT_FDCWD, "/", 0, nullptr, 0), "mount_setattr");
  ok &= fails(chroot("/tmp"), "chroot");
  return ok;
}
bool namespaces_refused() {
  if (nested) return true;
  bool ok = true;
  for (const unsigned long f : {0x10000000UL, 0x20000UL, 0x40000000UL, 0x20000000UL, 0x04000000UL,
                                0x08000000UL, 0x02000000UL, 0x80UL}) {
    ok &= fails(syscall(SYS_unshare, f), "unshare");
    ok &= fails(syscall(SYS_unshare, f | 1UL << 32), "unshare with high bits");
  }
  for (const unsigned long f : {0x10000000UL, 0x20000UL, 0x40000000UL, 0x20000000UL, 0x04000000UL,
                                0x08000000UL, 0x02000000UL}) {
    const long pid = syscall(SYS_clone, f | SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) _exit(0);
    if (pid > 0) waitpid(static_cast<pid_t>(pid), nullptr, 0);
    ok &= refused(pid, EPERM, "clone with a namespace flag");
  }
  const int self = open("/proc/self/ns/net", O_RDONLY);
  ok &= fails(syscall(SYS_setns, self, 0), "setns");
  return ok;
}
bool unknown_calls() {
  bool ok = refused(syscall(435, nullptr, 0), ENOSYS, "clone3");
  ok &= refused(syscall(425, 1, nullptr), ENOSYS, "io_uring_setup");
  ok &= refused(syscall(437, AT_FDCWD, "/", nullptr, 0), ENOSYS, "openat2");
  ok &= refused(syscall(447, 0), ENOSYS, "memfd_secret");
  for (long n = 480; n < 700; ++n) ok &= refused(syscall(n, 0, 0, 0), ENOSYS, "an unknown number");
  ok &= refused(syscall(0x40000000 | 39), ENOSYS, "x32 getpid");
  return ok;
}
bool thirty_two_bit() {
#if defined(__x86_64__)
  const pid_t pid = fork();  // the kernel may not have IA32 emulation: then SIGSEGV ends the child
  if (pid == 0) {
    long result = 0;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(20L) : "memory");  // getpid of i386
    _exit(result > 0 ? 1 : 0);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFSIGNALED(status) || WEXITSTATUS(status) == 0;
#else
  return true;
#endif
}
bool dangerous_calls() {
  bool ok = true;
  struct Row {
    long nr;
    const char* name;
  };
  for (const Row& r : {Row{321, "bpf"},
                       Row{323, "userfaultfd"},
                       Row{298, "perf_event_open"},
                       Row{250, "keyctl"},
                       Row{248, "add_key"},
                       Row{249, "request_key"},
                       Row{246, "kexec_load"},
                       Row{175, "init_module"},
                       Row{311, "process_vm_writev"},
                       Row{304, "open_by_handle_at"},
                       Row{103, "syslog"},
                       Row{165 + 2, "swapon"},
                       Row{169, "reboot"},
                       Row{163, "acct"},
                       Row{172, "iopl"},
                       Row{173, "ioperm"},
                       Row{227, "clock_settime"},
                       Row{159, "adjtimex"},
                       Row{300, "fanotify_init"},
                       Row{312, "kcmp"},
                       Row{179, "quotactl"},
                       Row{320, "kexec_file_load"},
                       Row{155, "pivot_root"},
                       Row{154, "modify_ldt"}}) {
    if (nested && r.nr == 155) continue;
    ok &= fails(syscall(r.nr, 0, 0, 0, 0, 0), r.name);
  }
  return ok;
}
bool socket_families() {
  bool ok = true;
  for (int f = 0; f < 50; ++f) {
    if (f == AF_UNIX || f == AF_INET || f == AF_INET6 || f == AF_NETLINK) continue;
    for (const int type : {SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET}) {
      ok &= fails(socket(f, type, 0), "socket of a refused family");
      ok &= fails(syscall(SYS_socket, static_cast<unsigned long>(f) | 1UL << 32, type, 0),
                  "the same with high bits");
    }
  }
  for (int p = 1; p < 25; ++p)
    ok &= fails(socket(AF_NETLINK, SOCK_RAW, p), "a netlink protocol other than route");
  ok &= fails(syscall(SYS_socket, AF_NETLINK, SOCK_RAW, 6UL | 1UL << 32), "xfrm with high bits");
  ok &= fails(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP), "raw socket");
  ok &= works(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), "netlink route");
  ok &= works(socket(AF_UNIX, SOCK_STREAM, 0), "unix");
  ok &= works(socket(AF_INET6, SOCK_DGRAM, 0), "inet6");
  return ok;
}
bool terminal_ioctls() {
  bool ok = true;
  for (const unsigned long r : {0x5412UL, 0x541CUL, 0x5423UL, 0x541DUL})
    for (const unsigned long high : {0UL, 1UL << 32, 0xffffffffUL << 32})
      ok &= refused(syscall(SYS_ioctl, 0, r | high, "x"), EPERM, "a refused terminal ioctl");
  return ok;
}
bool no_setuid_bits() {
  const char* f = "/tmp/probe-suid";
  const int fd = open(f, O_CREAT | O_RDWR, 0644);
  bool ok = works(fd, "make a file");
  for (const mode_t bit : {04755U, 02755U, 06777U}) {
    ok &= refused(syscall(SYS_chmod, f, bit), EPERM, "chmod");
    ok &= refused(syscall(SYS_chmod, f, bit | 1UL << 32), EPERM, "chmod with high bits");
    ok &= refused(syscall(SYS_fchmod, fd, bit), EPERM, "fchmod");
    ok &= refused(syscall(SYS_fchmodat, AT_FDCWD, f, bit), EPERM, "fchmodat");
    ok &= fails(syscall(452, AT_FDCWD, f, bit, 0), "fchmodat2");
    ok &= refused(syscall(SYS_open, "/tmp/probe-s1", O_CREAT | O_RDWR, bit), EPERM, "open");
    ok &= refused(syscall(SYS_openat, AT_FDCWD, "/tmp/probe-s2", O_CREAT | O_RDWR, bit), EPERM,
                  "openat");
    ok &= refused(syscall(SYS_openat, AT_FDCWD, "/tmp", O_TMPFILE | O_RDWR, bit), EPERM,
                  "openat O_TMPFILE");
    ok &= refused(syscall(SYS_creat, "/tmp/probe-s3", bit), EPERM, "creat");
    ok &= refused(syscall(SYS_mkdir, "/tmp/probe-s4", bit), EPERM, "mkdir");
    ok &= refused(syscall(SYS_mkdirat, AT_FDCWD, "/tmp/probe-s5", bit), EPERM, "mkdirat");
    ok &= refused(syscall(SYS_mknod, "/tmp/probe-s6", S_IFREG | bit, 0), EPERM, "mknod");
    ok &= refused(syscall(SYS_mknodat, AT_FDCWD, "/tmp/probe-s7", S_IFREG | bit, 0), EPERM,
                  "mknodat");
  }
  return ok;
}
bool no_devices() {
  bool ok = true;
  for (const char* dir : {".", "/tmp", "/dev/shm"}) {
    const std::string f = std::string(dir) + "/probe-dev";
    // On a plain tmpfs 0:0 is harmless; an overlay refuses it itself, Landlock (not in nested)
    // everywhere.
    if (!nested || dir[0] == '.') ok &= fails(mknod(f.c_str(), S_IFCHR | 0666, 0), "mknod of 0:0");
    ok &= fails(mknod(f.c_str(), S_IFBLK | 0666, 0x800), "mknod of a disk");
    ok &= fails(mknod(f.c_str(), S_IFCHR | 0666, 0x101), "mknod of mem");
  }
  return ok && works(mkfifo("/tmp/probe-fifo", 0600), "mkfifo");
}
bool no_descriptors() {
  bool ok = true;
  for (int fd = 3; fd < 4096; ++fd)
    if (fcntl(fd, F_GETFD) >= 0) {
      why += "descriptor " + std::to_string(fd) + " is open; ";
      ok = false;
    }
  return ok;
}
bool hidden_files() {
  bool ok = true;
  const std::string home = getenv("HOME") != nullptr ? getenv("HOME") : "/nonexistent";
  for (const std::string& p : {home + "/.ssh",
                               home + "/.aws",
                               home + "/.config/gh",
                               home + "/.netrc",
                               home + "/.docker",
                               home + "/.kube",
                               home + "/.bash_history",
                               std::string("/etc/shadow"),
                               std::string("/etc/sudoers"),
                               std::string("/etc/ssh"),
                               std::string("/var/run/docker.sock"),
                               std::string("/run/docker.sock"),
                               std::string("/run/dbus"),
                               std::string("/var/lib/codexos"),
                               home + "/.local/state/codexos",
                               std::string("/sys/fs/cgroup"),
                               std::string("/sys/kernel"),
                               std::string("/sys/firmware"),
                               std::string("/dev/mem"),
                               std::string("/dev/kmsg"),
                               std::string("/dev/vda"),
                               std::string("/dev/kvm"),
                               std::string("/boot"),
                               std::string("/mnt")}) {
    struct stat st {};
    ok &= fails(stat(p.c_str(), &st), p.c_str());
  }
  return ok;
}
bool kernel_files() {
  bool ok = true;
  for (const char* p :
       {"/proc/sys/kernel/core_pattern", "/proc/sys/kernel/randomize_va_space",
        "/proc/sys/vm/overcommit_memory", "/proc/sysrq-trigger", "/proc/sys/fs/protected_hardlinks",
        "/proc/sys/user/max_user_namespaces", "/proc/sys/net/ipv4/ip_forward"})
    ok &= fails(open(p, O_WRONLY), p);
  if (!nested)
    for (const char* p :
         {"/proc/keys", "/proc/kallsyms", "/proc/timer_list", "/proc/interrupts", "/proc/kcore"})
      if (!read_text(p).empty()) {
        why += std::string(p) + " can be read; ";
        ok = false;
      }
  return ok;
}
bool read_only_system() {
  bool ok = true;
  for (const char* p : {"/probe", "/usr/probe", "/etc/probe", "/usr/bin/probe", "/dev/probe",
                        "/proc/probe", "/sys/probe"})
    ok &= fails(open(p, O_CREAT | O_WRONLY, 0644), p);
  for (const char* p : {"/etc/passwd", "/usr/bin/env", "/etc/hosts"}) {
    ok &= fails(open(p, O_WRONLY), p);
    ok &= fails(unlink(p), p);
    ok &= fails(chmod(p, 0777), p);
  }
  return ok;
}
bool own_processes_only() {
  DIR* d = opendir("/proc");
  int n = 0;
  while (const dirent* e = readdir(d))
    if (e->d_name[0] >= '0' && e->d_name[0] <= '9') ++n;
  closedir(d);
  why = std::to_string(n) + " processes";
  return n <= 5;
}
bool no_network() {
  const int s = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_port = htons(53);
  a.sin_addr.s_addr = htonl(0x08080808);
  bool ok = fails(connect(s, reinterpret_cast<sockaddr*>(&a), sizeof a), "connect to 8.8.8.8");
  const int u = socket(AF_INET, SOCK_DGRAM, 0);
  ok &= fails(sendto(u, "x", 1, 0, reinterpret_cast<sockaddr*>(&a), sizeof a), "send to 8.8.8.8");
  return ok;
}
bool host_abstract_socket() {  // the test listens on @codexos-probe outside
  const int s = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un a{};
  a.sun_family = AF_UNIX;
  std::memcpy(a.sun_path, "\0codexos-probe", 14);
  return fails(connect(s, reinterpret_cast<sockaddr*>(&a), offsetof(sockaddr_un, sun_path) + 14),
               "connect to an abstract socket of the host");
}
bool bounded_scratch() {
  bool ok = true;
  for (const char* p : {"/tmp", "/var/tmp", "/dev/shm", "/run"}) {
    struct statfs f {};
    if (statfs(p, &f) < 0 || f.f_blocks == 0 ||
        f.f_blocks * static_cast<unsigned long>(f.f_bsize) > (2UL << 30) || f.f_files == 0) {
      why += std::string(p) + " is not bounded; ";
      ok = false;
    }
  }
  return ok;
}
bool bounded_inotify() {
  int made = 0;
  while (made < 4000 && inotify_init1(IN_CLOEXEC) >= 0) ++made;
  why = std::to_string(made) + " inotify instances";
  return made > 0 && made < 128;
}
bool keeps_working() {
  bool ok = works(fork() == 0 ? (_exit(0), 0) : 0, "fork");
  ok &= works(syscall(SYS_memfd_create, "x", 0), "memfd_create");
  int sv[2];
  ok &= works(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), "socketpair");
  const int pid = fork();
  if (pid == 0) {
    ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    raise(SIGSTOP);
    _exit(0);
  }
  int status = 0;
  ok &= works(waitpid(pid, &status, 0), "wait for a traced child") && WIFSTOPPED(status);
  ok &= works(ptrace(PTRACE_CONT, pid, nullptr, nullptr), "ptrace a child");
  waitpid(pid, &status, 0);
  return ok;
}

struct Row {
  const char* sentence;
  bool (*holds)();
};
constexpr Row kRows[] = {
    {"no descriptor beside stdin, stdout and stderr is open", no_descriptors},
    {"all five capability sets are empty", no_capabilities},
    {"no-new-privs and a seccomp filter are set", no_new_privs},
    {"neither the inside nor the host uid is 0", not_root},
    {"PID 1 cannot be read", pid1_memory},
    {"PID 1 cannot be controlled", pid1_control},
    {"PID 1 shows no paths in its arguments", pid1_cmdline},
    {"mounts are refused", mounts_refused},
    {"new namespaces are refused", namespaces_refused},
    {"unknown, x32 and unwanted calls do not exist", unknown_calls},
    {"32-bit calls do not work", thirty_two_bit},
    {"dangerous calls are refused", dangerous_calls},
    {"only unix, inet, inet6 and netlink route sockets exist", socket_families},
    {"terminal injection is refused, also with high bits", terminal_ioctls},
    {"setuid and setgid bits cannot be set by any call", no_setuid_bits},
    {"no device can be made", no_devices},
    {"private files and host sockets are not there", hidden_files},
    {"kernel settings cannot be written, kernel secrets not read", kernel_files},
    {"the system cannot be written", read_only_system},
    {"only own processes are seen", own_processes_only},
    {"the network is not reachable", no_network},
    {"an abstract socket of the host is not reachable", host_abstract_socket},
    {"scratch space is bounded", bounded_scratch},
    {"inotify instances are bounded per task", bounded_inotify},
    {"ordinary things keep working", keeps_working},
};

}  // namespace

int main(int argc, char** argv) {
  nested = argc > 1 && std::strcmp(argv[1], "nested") == 0;
  int bad = 0;
  for (const auto& row : kRows) {
    why.clear();
    const bool ok = row.holds();
    std::printf("%s - %s%s%s\n", ok ? "ok" : "not ok", row.sentence, ok ? "" : ": ",
                ok ? "" : why.c_str());
    bad += ok ? 0 : 1;
  }
  return bad > 100 ? 100 : bad;
}
