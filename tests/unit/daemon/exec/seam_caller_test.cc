// SPDX-License-Identifier: Apache-2.0
#include "daemon/exec/seam_caller.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <string>

#include "core/os/file.h"
#include "core/os/landlock.h"

namespace codexos::exec {
namespace {

const char kText[] = "some/path";

/// A process that stands still until the end of the test.
class Still {
 public:
  template <class F>
  explicit Still(F&& prepare) : pid_(fork()) {
    if (pid_ != 0) return;
    prepare();
    raise(SIGSTOP);
    _exit(0);
  }
  ~Still() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  Still(const Still&) = delete;
  Still& operator=(const Still&) = delete;
  pid_t stopped() const {
    waitpid(pid_, nullptr, WUNTRACED);
    return pid_;
  }

 private:
  pid_t pid_;
};

GivenPath& given(const char* text) {
  static GivenPath path;
  std::strcpy(path.text(), text);
  return path;
}

TEST_CASE("a path means what it means to its caller") {
  char name[] = "/tmp/codexos-caller-XXXXXX";
  const std::string dir = mkdtemp(name);
  REQUIRE(make_dirs(dir + "/a/b", 0755).ok());
  REQUIRE(symlink("a/b", (dir + "/link").c_str()) == 0);
  REQUIRE(symlink("/proc/self/cwd", (dir + "/magic").c_str()) == 0);
  int fd = -1;
  const Still other([&] {
    if (chdir(dir.c_str()) != 0) _exit(1);
    fd = open("a", O_PATH | O_DIRECTORY);
    dup2(fd, 50);
  });
  const Caller caller(other.stopped(), -1);
  struct Row {
    int dirfd;
    std::string path;
    std::string folder;  // below dir; "-": it is not resolved
    std::string name;
  };
  for (const Row& row :
       {Row{AT_FDCWD, "x", "", "x"}, Row{AT_FDCWD, "a//b/", "/a", "b"},
        Row{AT_FDCWD, "link/x", "/a/b", "x"}, Row{AT_FDCWD, "link/../x", "/a", "x"},
        Row{AT_FDCWD, "link", "", "link"}, Row{50, "b/x", "/a/b", "x"}, Row{50, "../x", "", "x"},
        Row{77, dir + "/a/x", "/a", "x"}, Row{77, "x", "-", ""}, Row{AT_FDCWD, "magic/x", "-", ""},
        Row{AT_FDCWD, "/proc/self/cwd/x", "-", ""}, Row{AT_FDCWD, "a/..", "-", ""},
        Row{AT_FDCWD, "no/x", "-", ""}, Row{AT_FDCWD, "/", "-", ""}}) {
    CAPTURE(row.path);
    Place place;
    const bool found = caller.resolve(row.dirfd, given(row.path.c_str()), place);
    CHECK(found == (row.folder != "-"));
    if (!found) continue;
    char where[4096] = {};
    CHECK(readlink(("/proc/self/fd/" + std::to_string(place.dir.get())).c_str(), where,
                   sizeof where - 1) > 0);
    CHECK(where == dir + row.folder);
    CHECK(place.name == row.name);
  }
  struct stat st {};
  CHECK(caller.stat_path(AT_FDCWD, given("a/b"), st));
  CHECK(caller.stat_path(50, given("b"), st));
  CHECK(!caller.stat_path(77, given("b"), st));
  CHECK(caller.same_view());
  (void)remove_tree(dir);
}

TEST_CASE("what the worker may not read, the shim reads for it") {
  const Still other([] {});
  const pid_t target = other.stopped();
  const auto address = reinterpret_cast<uint64_t>(kText);
  GivenPath path;
  CHECK(Caller(target, -1).read_path(address, path));
  CHECK(std::strcmp(path.text(), kText) == 0);
  CHECK(!Caller(target, -1).read_path(8, path));
  if (landlock_abi() < 2) return;
  int pair[2];
  REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
  // A process in a Landlock domain may not look into one outside of it: as with Yama.
  const pid_t worker = fork();
  if (worker == 0) {
    close(pair[0]);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    auto rules = LandlockRuleset::make(landlock_abi(), true);
    const Fd root(open("/", O_PATH | O_CLOEXEC));
    if (!rules.ok() || !rules->allow(root.get(), LandlockAccess::write, "/").ok() ||
        !rules->enter().ok())
      _exit(1);
    if (Caller(target, -1).read_path(address, path)) _exit(2);
    if (!Caller(target, pair[1]).read_path(address, path)) _exit(3);
    if (Caller(target, pair[1]).read_path(8, path)) _exit(5);
    _exit(std::strcmp(path.text(), kText) == 0 || *path.text() == '\0' ? 0 : 4);
  }
  close(pair[1]);
  std::vector<RefusedCall> refused;
  for (pollfd p{pair[0], POLLIN, 0}; poll(&p, 1, 10000) == 1 && (p.revents & POLLHUP) == 0;)
    serve_worker(pair[0], refused);
  int status = 1;
  waitpid(worker, &status, 0);
  close(pair[0]);
  CHECK(status == 0);
}

TEST_CASE("the mark of who took rights from itself is inherited") {
  const Still other([] {});
  const pid_t pid = other.stopped();
  CHECK(!is_restricted(pid));
  CHECK(mark_restricted(pid));
  CHECK(mark_restricted(pid));
  CHECK(is_restricted(pid));
  const pid_t child = fork();
  if (child == 0) {
    if (!mark_restricted(getpid())) _exit(1);
    if (fork() == 0) _exit(is_restricted(getpid()) ? 0 : 2);
    int status = 0;
    wait(&status);
    _exit(WEXITSTATUS(status));
  }
  int status = 0;
  waitpid(child, &status, 0);
  CHECK(status == 0);
}

}  // namespace
}  // namespace codexos::exec
