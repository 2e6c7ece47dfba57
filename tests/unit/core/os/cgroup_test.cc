// SPDX-License-Identifier: Apache-2.0
#include "core/os/cgroup.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "core/os/disk_use.h"

namespace codexos {
namespace {

constexpr char kMounts[] =
    "24 1 0:20 / / rw - ext4 /dev/vda rw\n"
    "30 24 0:25 / /sys/fs/cgroup/unified rw,relatime shared:9 - cgroup2 cgroup2 rw\n"
    "31 24 0:26 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
    "32 24 0:27 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n";
constexpr char kOf[] = "9:memory:/docker/abc/x\n3:cpu,cpuacct:/a\n1:name=systemd:/z\n0::/user/me\n";

TEST_CASE("hierarchies are found where they are mounted, version 1 first") {
  const auto mounts = parse_cgroup_mounts(kMounts);
  REQUIRE(mounts.size() == 3);
  CHECK(mounts[0].has("cpuacct"));
  CHECK_FALSE(mounts[0].has("memory"));
  CHECK(mounts[1].root == "/docker/abc");
  CHECK(mounts[2].v2);
}

TEST_CASE("a process's cgroup is a folder of the mount that shows it") {
  const auto mounts = parse_cgroup_mounts(kMounts);
  CHECK(parse_cgroup_folder(mounts[0], kOf) == "/sys/fs/cgroup/cpu,cpuacct/a");
  CHECK(parse_cgroup_folder(mounts[1], kOf) == "/sys/fs/cgroup/memory/x");
  CHECK(parse_cgroup_folder(mounts[2], kOf) == "/sys/fs/cgroup/unified/user/me");
  CHECK(parse_cgroup_folder(mounts[2], "0::/\n") == "/sys/fs/cgroup/unified");
  CHECK(parse_cgroup_folder(mounts[2], "0::/../other\n").empty());
  CHECK(parse_cgroup_folder(mounts[0], "3:cpuset:/a\n").empty());
}

TEST_CASE("numbers of cgroup files are found by their key") {
  CHECK(cgroup_number("4096\n", "") == 4096);
  CHECK(cgroup_number("oom 1\noom_kill 7\n", "oom_kill") == 7);
  CHECK(cgroup_number("oom_kill_disable 3\noom_kill 2\n", "oom_kill") == 2);
  CHECK(cgroup_number("max\n", "") == 0);
  CHECK(cgroup_number("", "oom_kill") == 0);
}

TEST_CASE("a tree takes the room of its files, each once, and no link is followed") {
  char dir[] = "/tmp/codexos-disk-XXXXXX";
  REQUIRE(mkdtemp(dir) != nullptr);
  const std::string top = dir;
  const auto fill = [](const std::string& path, size_t n) {
    std::ofstream(path) << std::string(n, 'x');
  };
  REQUIRE(mkdir((top + "/sub").c_str(), 0700) == 0);
  const uint64_t before = disk_use(dir);
  fill(top + "/a", 1 << 20);
  fill(top + "/sub/b", 1 << 20);
  REQUIRE(link((top + "/a").c_str(), (top + "/sub/again").c_str()) == 0);
  REQUIRE(symlink("/usr", (top + "/sub/link").c_str()) == 0);
  sync();
  const uint64_t used = disk_use(dir) - before;
  CHECK(used >= 2U << 20);
  CHECK(used < 3U << 20);
  const int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
  DiskWalk walk(fd);
  int steps = 1;
  while (!walk.step(1)) ++steps;
  CHECK(steps > 3);
  CHECK(walk.bytes() - before == used);
  close(fd);
  for (const char* name : {"/sub/link", "/sub/again", "/sub/b", "/a"}) unlink((top + name).c_str());
  rmdir((top + "/sub").c_str());
  rmdir(dir);
  CHECK(disk_use(dir) == 0);
}

}  // namespace
}  // namespace codexos
