// SPDX-License-Identifier: Apache-2.0
// Bare rename(2) and link(2) inside a task, and attempts to misuse the process that answers them.
// Usage: probe-seams COMMAND [ARG…] (the table at the end). Exit code 0: all as it must be.
#include <dirent.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr unsigned long kUnwatched = 1UL << 62;

int failures = 0;

void expect(bool ok, const char* what) {
  if (ok) return;
  std::printf("not ok - %s (errno %s)\n", what, std::strerror(errno));
  ++failures;
}
bool exists(const std::string& path) {
  struct stat st {};
  return lstat(path.c_str(), &st) == 0;
}
bool fails(long result, int error) { return result < 0 && errno == error; }

double now_us() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_nsec) / 1e3;
}

// The worker by its name; 0: there is none now.
pid_t find_worker() {
  DIR* const proc = opendir("/proc");
  pid_t found = 0;
  while (const dirent* e = readdir(proc)) {
    const pid_t pid = std::atoi(e->d_name);
    char path[64], name[32] = {};
    std::snprintf(path, sizeof path, "/proc/%d/comm", pid);
    const int fd = pid > 0 ? open(path, O_RDONLY) : -1;
    if (fd < 0) continue;
    if (read(fd, name, sizeof name - 1) > 0 && std::strncmp(name, "codexos-seams", 13) == 0)
      found = pid;
    close(fd);
  }
  closedir(proc);
  return found;
}

// rename HOW OLD NEW [FLAGS]: by that one call; prints nothing, exits with errno.
int do_rename(char** a) {
  const std::string how = a[0];
  const unsigned flags = a[3] != nullptr ? static_cast<unsigned>(std::atoi(a[3])) : 0;
  long r = 0;
  if (how == "rename")
    r = syscall(SYS_rename, a[1], a[2]);
  else if (how == "renameat")
    r = syscall(SYS_renameat, AT_FDCWD, a[1], AT_FDCWD, a[2]);
  else if (how == "bare")
    r = syscall(SYS_renameat2, AT_FDCWD, a[1], AT_FDCWD, a[2], kUnwatched);
  else
    r = syscall(SYS_renameat2, AT_FDCWD, a[1], AT_FDCWD, a[2], flags);
  return r < 0 ? errno : 0;
}

// link OLD NEW
int do_link(char** a) { return link(a[0], a[1]) < 0 ? errno : 0; }

// parallel PREFIX COUNT: PREFIX1 … to PREFIX1.new …, all at once.
int parallel(char** a) {
  const int count = std::atoi(a[1]);
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int i = 1; i <= count; ++i)
    threads.emplace_back([&, i] {
      const std::string from = a[0] + std::to_string(i);
      if (rename(from.c_str(), (from + ".new").c_str()) != 0) ++wrong;
    });
  for (auto& t : threads) t.join();
  return wrong == 0 ? 0 : 1;
}

// contend FOLDER COUNT: many want the same folder; one gets it.
int contend(char** a) {
  const int count = std::atoi(a[1]);
  std::atomic<int> won{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i)
    threads.emplace_back([&, i] {
      const std::string to = std::string(a[0]) + ".to" + std::to_string(i);
      if (rename(a[0], to.c_str()) == 0) ++won;
    });
  for (auto& t : threads) t.join();
  expect(won == 1, "one of many renames of one folder succeeds");
  expect(!exists(a[0]), "the old name is gone");
  return failures;
}

bool has_leftover() {
  DIR* const here = opendir(".");
  bool found = false;
  while (const dirent* e = readdir(here))
    found = found || std::strncmp(e->d_name, ".codexos-rename", 15) == 0;
  closedir(here);
  return found;
}

// killed FOLDER MICROSECONDS: the caller of a rename is killed meanwhile.
int killed(char** a) {
  const std::string to = std::string(a[0]) + ".new";
  const pid_t pid = fork();
  if (pid == 0) _exit(rename(a[0], to.c_str()) == 0 ? 0 : 1);
  usleep(static_cast<useconds_t>(std::atoi(a[1])));
  kill(pid, SIGKILL);
  waitpid(pid, nullptr, 0);
  // Whatever was decided is finished soon; then one whole tree is left.
  for (int i = 0; i < 2000 && (exists(a[0]) == exists(to) || has_leftover()); ++i) usleep(10000);
  expect(exists(a[0]) != exists(to), "one of both names is left");
  expect(!has_leftover(), "nothing of the way is left");
  return failures;
}

// signals FOLDER: a caller that signals hit all the time.
int signals(char** a) {
  struct sigaction act {};
  act.sa_handler = [](int) {};
  sigaction(SIGALRM, &act, nullptr);
  const itimerval often{{0, 2000}, {0, 2000}};
  setitimer(ITIMER_REAL, &often, nullptr);
  const std::string to = std::string(a[0]) + ".new";
  int r = 0;
  do r = rename(a[0], to.c_str());
  while (r < 0 && errno == EINTR);
  expect(r == 0, "a rename that signals hit succeeds");
  return failures;
}

// cost: of a plain rename in the current folder.
int cost(char**) {
  const int fd = open("cost.a", O_CREAT | O_RDWR, 0600);
  close(fd);
  constexpr int kTimes = 20000;
  for (const bool bare : {true, false}) {
    const double begin = now_us();
    for (int i = 0; i < kTimes; ++i) {
      const char* const from = (i & 1) != 0 ? "cost.b" : "cost.a";
      const char* const to = (i & 1) != 0 ? "cost.a" : "cost.b";
      syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, bare ? kUnwatched : 0UL);
    }
    std::printf("%s %.2f\n", bare ? "bare" : "watched", (now_us() - begin) / kTimes);
  }
  unlink("cost.a");
  return 0;
}

// listener WANTED: whether a program may have a listener of its own; 0, or an errno.
int listener(char** a) {
  sock_filter code[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  sock_fprog prog{1, code};
  const long r =
      syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &prog);
  const int wanted = std::atoi(a[0]);
  expect(wanted == 0 ? r >= 0 : fails(r, wanted), "a listener of its own");
  return failures;
}

// The worker is a process of the task like others, but none that can be looked into.
void attack_worker() {
  mkdir("w1", 0755);
  rename("w1", "w2");
  const pid_t worker = find_worker();
  expect(worker > 0, "there is a worker");
  if (worker <= 0) return;
  const std::string proc = "/proc/" + std::to_string(worker) + "/";
  expect(open((proc + "mem").c_str(), O_RDWR) < 0, "its memory cannot be opened");
  expect(opendir((proc + "fd").c_str()) == nullptr, "its descriptors cannot be listed");
  expect(open((proc + "cwd/.").c_str(), O_RDONLY) < 0, "its folder cannot be entered");
  expect(ptrace(PTRACE_ATTACH, worker, nullptr, nullptr) < 0, "it cannot be traced");
  expect(fails(syscall(SYS_pidfd_getfd, 3, 3, 0), EPERM), "no descriptor is taken from it");
  for (const int s : {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGALRM, SIGSEGV}) kill(worker, s);
  expect(rename("w2", "w3") == 0, "signals do not end it");
  expect(find_worker() == worker, "it is the same after signals");
  for (int i = 0; i < 20; ++i) {
    if (const pid_t p = find_worker(); p > 0) kill(p, SIGKILL);
    expect(rename("w3", "w4") == 0 && rename("w4", "w3") == 0, "when killed it comes again");
  }
  rmdir("w3");
}

// What a bad pointer or path says is what the kernel says.
void bad_arguments() {
  expect(fails(syscall(SYS_rename, nullptr, "x"), EFAULT), "no old path");
  expect(fails(syscall(SYS_rename, "lower", nullptr), EFAULT), "no new path");
  expect(fails(syscall(SYS_rename, reinterpret_cast<char*>(1), "x"), EFAULT), "address 1");
  expect(fails(syscall(SYS_rename, "", "x"), ENOENT), "empty path");
  expect(fails(syscall(SYS_rename, "lower", ""), ENOENT), "empty new path");
  expect(fails(syscall(SYS_rename, "lower/.", "x"), EBUSY), "a dot");
  expect(fails(syscall(SYS_rename, "lower", "lower/it"), EINVAL), "into itself");
  expect(fails(syscall(SYS_rename, "lower", "file"), ENOTDIR), "onto a file");
  expect(fails(syscall(SYS_rename, "lower", "full"), ENOTEMPTY), "onto a full folder");
  expect(fails(syscall(SYS_rename, "lower", "no/such"), ENOENT), "into no folder");
  expect(fails(syscall(SYS_rename, "lower", "/usr/x"), EXDEV), "to another mount");
  expect(
      fails(syscall(SYS_renameat2, AT_FDCWD, "lower", AT_FDCWD, "full", RENAME_NOREPLACE), EEXIST),
      "NOREPLACE");
  expect(
      fails(syscall(SYS_renameat2, AT_FDCWD, "lower", AT_FDCWD, "full", RENAME_EXCHANGE), EINVAL),
      "EXCHANGE of what was there before");
  expect(fails(syscall(SYS_renameat, 99, "lower", AT_FDCWD, "x"), EBADF), "no such descriptor");
  const int file = open("file", O_RDONLY);
  expect(fails(syscall(SYS_renameat, file, "lower", AT_FDCWD, "x"), ENOTDIR),
         "a file's descriptor");
  close(file);
  // A path at the very end of a mapping, with and without an end.
  auto* const page = static_cast<char*>(
      mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  munmap(page + 4096, 4096);
  std::memcpy(page + 4096 - 6, "lower", 6);
  expect(syscall(SYS_rename, page + 4096 - 6, "edge") == 0 && exists("edge"), "at a mapping's end");
  expect(rename("edge", "lower") == 0, "and back");
  std::memcpy(page + 4096 - 5, "lower", 5);
  expect(fails(syscall(SYS_rename, page + 4096 - 5, "x"), EFAULT), "over a mapping's end");
  const std::string name(5000, 'a');
  expect(fails(syscall(SYS_rename, name.c_str(), "x"), ENAMETOOLONG), "too long");
  expect(fails(syscall(SYS_renameat2, AT_FDCWD, "old-lower", AT_FDCWD, "x", kUnwatched), EXDEV),
         "the bare kernel's answer is all that a secret sign gives");
  expect(exists("old-lower") && !exists("x"), "nothing was moved by mistake");
}

// Links of /proc mean the caller, or nothing: never the worker.
void proc_links() {
  const long r = syscall(SYS_rename, "/proc/self/cwd/plain", "/proc/self/cwd/plain2");
  expect(r == 0 ? exists("plain2") : errno == EXDEV, "/proc/self/cwd");
  if (r == 0) rename("plain2", "plain");
  expect(fails(syscall(SYS_rename, "/proc/self/root/plain", "x"), EXDEV), "/proc/self/root");
  expect(symlink("/proc/self/cwd", "me") == 0, "symlink");
  const long s = syscall(SYS_rename, "me/plain", "me/plain2");
  expect(s == 0 ? exists("plain2") : errno == EXDEV, "a link to /proc/self/cwd");
  if (s == 0) rename("plain2", "plain");
  unlink("me");
}

// Paths mean what they mean to the thread that calls.
void own_folders() {
  std::thread([] {
    expect(unshare(CLONE_FS) == 0 && chdir("here") == 0, "a folder of the thread's own");
    expect(rename("sub", "sub2") == 0, "relative to the thread's folder");
  }).join();
  expect(exists("here/sub2") && !exists("here/sub"), "in the thread's folder");
  std::thread([] {
    expect(unshare(CLONE_FILES) == 0, "descriptors of the thread's own");
    const int here = open("here", O_PATH | O_DIRECTORY);
    const int there = dup2(here, 200);
    expect(syscall(SYS_renameat, there, "sub2", there, "sub3") == 0, "by the thread's descriptor");
  }).join();
  expect(exists("here/sub3") && !exists("here/sub2"), "by the thread's descriptor: done");
}

// The path changes all the time between the two folders and nonsense: every call moves one of them
// whole, or nothing.
void changing_memory() {
  static char path[64] = "race1";
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    for (unsigned i = 0; !stop; ++i) {
      static const char* const kTexts[] = {"race1", "race2", "/etc", "file", "race1/in", ".."};
      std::strcpy(path, kTexts[i % 6]);
    }
  });
  for (int i = 0; i < 3000; ++i) {
    if (rename(path, "raced") != 0) continue;
    struct stat st {};
    lstat("raced", &st);
    if (S_ISREG(st.st_mode)) {
      expect(rename("raced", "file") == 0, "the file goes back");
      continue;
    }
    const char* const home = exists("raced/one")   ? "race1"
                             : exists("raced/two") ? "race2"
                                                   : "race1/in";
    expect(rename("raced", home) == 0, "what was moved is whole and goes back");
  }
  stop = true;
  writer.join();
  expect(exists("race1/one") && exists("race1/in") && exists("race2/two") && exists("file"),
         "all is there after the race");
}

// A component changes between a folder and a link out of it.
void changing_link() {
  std::atomic<bool> stop{false};
  mkdir("turn.d", 0755);
  expect(symlink("/usr", "turn.l") == 0, "symlink");
  std::thread writer([&] {
    while (!stop)
      syscall(SYS_renameat2, AT_FDCWD, "turn.d", AT_FDCWD, "turn.l", kUnwatched | RENAME_EXCHANGE);
  });
  for (int i = 0; i < 2000; ++i) {
    if (syscall(SYS_rename, "plain", "turn.d/p") == 0) {
      const bool back = rename("turn.d/p", "plain") == 0 || rename("turn.l/p", "plain") == 0 ||
                        rename("turn.d/p", "plain") == 0 || rename("turn.l/p", "plain") == 0;
      if (!back)
        while (rename("turn.d/p", "plain") != 0 && rename("turn.l/p", "plain") != 0) continue;
    }
  }
  stop = true;
  writer.join();
  expect(exists("plain/x"), "the folder is whole");
  expect(!exists("/usr/p"), "nothing came through the link");
}

// Who gave rights away does not get them back by asking.
void restricted() {
  for (const bool twice : {false, true}) {
    const pid_t pid = fork();
    if (pid == 0) {
      struct {
        unsigned long fs, net, scoped;
      } attr{(1UL << 13) - 1, 0, 0};
      const int set = static_cast<int>(syscall(444, &attr, 8, 0));
      if (set < 0 || syscall(446, set, 0) < 0) _exit(77);
      if (twice && fork() != 0) {
        wait(nullptr);
        _exit(0);
      }
      const long r = syscall(SYS_rename, "old-lower", "stolen");
      if (r == 0) _exit(1);
      // A process that it starts, and that has left it, is one of its kind.
      if (fork() == 0) {
        setsid();
        usleep(1000);
        _exit(syscall(SYS_rename, "old-lower", "stolen") == 0);
      }
      int status = 0;
      wait(&status);
      _exit(WEXITSTATUS(status));
    }
    int status = 0;
    waitpid(pid, &status, 0);
    if (WEXITSTATUS(status) == 77) return;  // no Landlock here
    expect(exists("old-lower") && !exists("stolen"), "a process in a Landlock domain of its own");
  }
  expect(rename("old-lower", "old-lower2") == 0, "others are served as before");
  rename("old-lower2", "old-lower");
  const rlimit64 raise{RLIM64_INFINITY, RLIM64_INFINITY};
  const rlimit64 low{0, 0};
  if (fork() == 0) {
    syscall(SYS_prlimit64, 0, RLIMIT_LOCKS, &low, nullptr);
    _exit(syscall(SYS_prlimit64, 0, RLIMIT_LOCKS, &raise, nullptr) == 0);
  }
  int status = 0;
  wait(&status);
  expect(status == 0, "the mark cannot be taken off");
  expect(fails(syscall(SYS_prlimit64, 1, RLIMIT_CPU, &low, nullptr), EPERM),
         "no other limit of another process");
}

// A stopped worker, a task that ends: nothing hangs longer than whoever asked for it.
void many_callers_die() {
  for (int i = 0; i < 50; ++i) {
    const pid_t pid = fork();
    if (pid == 0)
      for (;;) {
        rename("d1", "d2");
        rename("d2", "d1");
      }
    usleep(2000);
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
  }
  mkdir("alive", 0755);
  expect(rename("alive", "alive2") == 0, "after many that were killed it still answers");
  rmdir("alive2");
}

int attack(char**) {
  attack_worker();
  bad_arguments();
  proc_links();
  own_folders();
  changing_memory();
  changing_link();
  restricted();
  many_callers_die();
  if (failures == 0) std::puts("ok - nothing could be misused");
  return failures;
}

struct Row {
  const char* name;
  int (*run)(char**);
};
constexpr Row kRows[] = {{"rename", do_rename}, {"link", do_link},      {"parallel", parallel},
                         {"contend", contend},  {"killed", killed},     {"signals", signals},
                         {"cost", cost},        {"listener", listener}, {"attack", attack}};

}  // namespace

int main(int argc, char** argv) {
  for (const auto& row : kRows)
    if (argc > 1 && std::strcmp(argv[1], row.name) == 0) return row.run(argv + 2);
  return 2;
}
