// SPDX-License-Identifier: Apache-2.0
#include "daemon/doctor/gather.h"
#include "core/base/clock.h"

#include <doctest/doctest.h>

namespace codexos::daemon {
namespace {

TEST_CASE("a container is known by what its engine leaves") {
  ContainerMarks m;
  CHECK(container_of(m).empty());
  m.init_container = "lxc";
  CHECK(container_of(m) == "lxc");
  m.systemd = "systemd-nspawn";
  CHECK(container_of(m) == "systemd-nspawn");
  m.cgroups = "0::/docker/3f2a";
  CHECK(container_of(m) == "docker");
  m.containerenv = true;
  CHECK(container_of(m) == "podman");
  m.cgroups = "0::/kubepods.slice/kubepods-pod1.slice";
  CHECK(container_of(m) == "kubernetes");
}

TEST_CASE("ids of a user namespace") {
  constexpr std::string_view kHost = "         0          0 4294967295\n";
  constexpr std::string_view kRootless =
      "         0       1000          1\n         1     100000      65536\n";
  CHECK(is_mapped(kHost, 2000000001));
  CHECK(is_mapped(kRootless, 65536));
  CHECK(!is_mapped(kRootless, 65537));
  CHECK(!is_mapped("", 0));
}

TEST_CASE("the program of an AppArmor profile") {
  CHECK(profile_program("# a profile\nabi <abi/4.0>,\nprofile codexos-exec /usr/x/codexos-exec "
                        "flags=(unconfined) {\n  userns,\n}\n") == "/usr/x/codexos-exec");
  CHECK(profile_program("").empty());
}

TEST_CASE("where our cgroups are") {
  SUBCASE("version 2, in a service") {
    const auto at = cgroup_places(
        "29 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n",
        "0::/user.slice/user-1000.slice/session-2.scope\n");
    REQUIRE(at.size() == 1);
    CHECK(at[0].version == 2);
    CHECK(at[0].dir == "/sys/fs/cgroup/user.slice/user-1000.slice/session-2.scope");
  }
  SUBCASE("version 1 beside an empty version 2") {
    const auto at = cgroup_places(
        "30 29 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
        "31 29 0:28 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n"
        "32 29 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n",
        "4:cpu,cpuacct:/a\n1:name=systemd:/b\n0::/\n");
    REQUIRE(at.size() == 2);
    CHECK(at[0].version == 2);
    CHECK(at[0].dir == "/sys/fs/cgroup/unified");
    CHECK(at[1].version == 1);
    CHECK(at[1].controllers == std::vector<std::string>{"cpu", "cpuacct"});
    CHECK(at[1].dir == "/sys/fs/cgroup/cpu,cpuacct/a");
  }
  SUBCASE("in a container that sees its own part") {
    const auto at = cgroup_places(
        "33 29 0:29 /docker/3f2a /sys/fs/cgroup/memory ro - cgroup cgroup ro,memory\n",
        "6:memory:/docker/3f2a\n");
    REQUIRE(at.size() == 1);
    CHECK(at[0].dir == "/sys/fs/cgroup/memory");
  }
}

TEST_CASE("the clock's offset stays while nobody sets it") {
  const int64_t before = clock_offset_us();
  const int64_t after = clock_offset_us();
  constexpr int64_t kReading = 100000;
  CHECK(after - before < kReading);
  CHECK(before - after < kReading);
}

}  // namespace
}  // namespace codexos::daemon
