// SPDX-License-Identifier: Apache-2.0
// Machines that we do not have, as facts.
#include "daemon/doctor/checks.h"

#include <doctest/doctest.h>

#include <cerrno>
#include <set>

#include "core/base/text.h"

namespace codexos::daemon {
namespace {

using wire::Finding;
using wire::Verdict;

Attempt worked() { return {true, {}, 0, {}}; }
Attempt failed(const char* step, int error) { return {true, step, error, "the kernel's text"}; }

/// Debian 12, an ordinary user, everything as it should be.
HostFacts good_machine() {
  HostFacts f;
  f.machine.kernel = "6.1.0-18-amd64";
  f.machine.arch = "x86_64";
  f.machine.max_user_namespaces = 60000;
  f.machine.exec_path = "/home/ada/.local/libexec/codexos/codexos-exec";
  KernelProbe& p = f.machine.probe;
  p.user_namespace = p.proc = p.overlay = p.network = p.filter = p.listener = worked();
  p.landlock_abi = 2;
  f.cgroups = {2, {"cpu", "memory", "pids"}};
  f.limits = {false, 1048576, 63000};
  f.state.home = "/home/ada/.local/state/codexos";
  f.state.socket = f.state.home + "/codexosd.sock";
  f.state.exists = true;
  f.state.owner = f.state.ours = 1000;
  f.state.mode = 0700;
  f.state.magic = 0xef53;
  f.state.free_bytes = 50ULL << 30;
  f.state.inodes = 1000000;
  f.state.free_inodes = 900000;
  f.state.socket_state = SocketState::listening;
  f.clock.now_us = 2000000000000000;
  f.clock.built_us = 1900000000000000;
  f.helpers.running = true;
  f.helpers.parked = 2;
  return f;
}

HostFacts without_user_namespaces(const char* step, int error) {
  HostFacts f = good_machine();
  KernelProbe p;
  p.user_namespace = failed(step, error);
  p.filter = p.listener = worked();
  p.landlock_abi = 4;
  f.machine.probe = p;
  return f;
}

std::string fix_of(const Finding& f) { return join_words(f.fix, "\n"); }
bool has(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

TEST_CASE("a good machine has nothing to say about it") {
  const auto report = judge_host(good_machine());
  CHECK(report.problems == 0);
  CHECK(report.warnings == 0);
  CHECK(report.checks.size() == doctor_checks().size());
  for (const auto& c : report.checks) {
    CHECK_MESSAGE(c.cause.empty(), c.name);
    CHECK_MESSAGE(c.fix.empty(), c.name);
    CHECK_MESSAGE(!c.found.empty(), c.name);
    CHECK_MESSAGE(!c.about.empty(), c.name);
  }
}

TEST_CASE("checks are few, and have names of their own") {
  std::set<std::string_view> names;
  for (const HostCheck& c : doctor_checks()) names.insert(c.name);
  CHECK(names.size() == doctor_checks().size());
  constexpr size_t kOfTheCommandLine = 3;
  CHECK(names.size() + kOfTheCommandLine <= 20);
}

TEST_CASE("what is not ok says why, and a command that helps") {
  for (const char* engine : {"", "docker", "kubernetes", "nspawn"}) {
    for (const int error : {EPERM, EACCES, ENOSPC, EINVAL, ENOSYS, EIO}) {
      HostFacts f = without_user_namespaces("namespaces", error);
      f.machine.container = engine;
      const Finding found = judge_user_namespaces(f);
      CHECK(found.verdict == Verdict::problem);
      CHECK(!found.cause.empty());
      CHECK(!found.fix.empty());
    }
  }
}

TEST_CASE("an old kernel") {
  HostFacts f = good_machine();
  f.machine.kernel = "5.4.0-150-generic";
  CHECK(judge_machine(f).verdict == Verdict::problem);
  f.machine.kernel = "5.15.0-101-generic";
  CHECK(judge_machine(f).verdict == Verdict::ok);
  // Ubuntu 22.04: Landlock is there, and would fail renames.
  f.machine.probe.landlock_abi = 1;
  CHECK(judge_landlock(f).verdict == Verdict::warning);
  CHECK(has(fix_of(judge_landlock(f)), "hwe"));
  f.machine.probe.landlock_abi = 0;
  CHECK(has(fix_of(judge_landlock(f)), "lsm=landlock"));
  f.machine.kernel = "5.10.0-28-amd64";
  CHECK(has(judge_landlock(f).cause, "from 5.13 on"));
}

TEST_CASE("Ubuntu 24.04 restricts user namespaces by AppArmor") {
  // The clone succeeds there; writing the maps or mounting is what fails.
  HostFacts f = without_user_namespaces("mount inside", EACCES);
  f.machine.apparmor_restricts = 1;
  CHECK(has(judge_user_namespaces(f).cause, "AppArmor"));
  Finding a = judge_apparmor(f);
  CHECK(a.verdict == Verdict::problem);
  CHECK(has(a.cause, "there is no profile"));
  CHECK(has(fix_of(a), "install -D -o root -g root -m 755 /home/ada/.local/libexec/codexos/"));
  CHECK(has(fix_of(a), "apparmor_parser -r /etc/apparmor.d/codexos-exec"));
  CHECK(has(fix_of(a), "ln -sfn /usr/local/libexec/codexos/codexos-exec"));

  f.machine.apparmor_profile_for = "/opt/other/codexos-exec";
  CHECK(has(judge_apparmor(f).cause, "is for /opt/other/codexos-exec"));

  f.machine.exec_path = f.machine.apparmor_profile_for;
  f.machine.probe.label = "unprivileged_userns (enforce)";
  a = judge_apparmor(f);
  CHECK(has(a.cause, "not loaded: codexos-exec runs as unprivileged_userns (enforce)"));
  CHECK(!has(fix_of(a), "install"));

  f.machine.probe.user_namespace = worked();
  f.machine.probe.label = "codexos-exec (unconfined)";
  CHECK(judge_apparmor(f).verdict == Verdict::ok);
  CHECK(has(judge_apparmor(f).found, "codexos-exec (unconfined)"));

  f.machine.root = true;
  CHECK(judge_apparmor(f).verdict == Verdict::not_applicable);
  f.machine.root = false;
  f.machine.apparmor_restricts = 0;
  CHECK(judge_apparmor(f).verdict == Verdict::not_applicable);
}

TEST_CASE("switches of the kernel") {
  HostFacts f = without_user_namespaces("namespaces", EPERM);
  f.machine.unprivileged_userns_clone = 0;
  CHECK(has(judge_user_namespaces(f).cause, "kernel.unprivileged_userns_clone is 0"));
  CHECK(has(fix_of(judge_user_namespaces(f)), "kernel.unprivileged_userns_clone=1"));
  f.machine.root = true;  // whom it does not concern
  CHECK(!has(judge_user_namespaces(f).cause, "unprivileged_userns_clone"));

  f = without_user_namespaces("namespaces", ENOSPC);
  f.machine.max_user_namespaces = 0;
  CHECK(has(judge_user_namespaces(f).cause, "user.max_user_namespaces is 0"));
  CHECK(has(fix_of(judge_user_namespaces(f)), "user.max_user_namespaces=15000"));
  f.machine.max_user_namespaces = 10;
  CHECK(has(judge_user_namespaces(f).cause, "all 10"));

  f = without_user_namespaces("namespaces", EINVAL);
  CHECK(has(judge_user_namespaces(f).cause, "CONFIG_USER_NS"));
}

TEST_CASE("a container is told by its engine, with the flags that help") {
  HostFacts f = without_user_namespaces("namespaces", EPERM);
  f.machine.container = "docker";
  f.machine.filtered = true;
  const Finding docker = judge_user_namespaces(f);
  CHECK(has(docker.found, "Operation not permitted"));
  CHECK(has(docker.cause, "by its seccomp filter"));
  CHECK(has(fix_of(docker), "docker run --security-opt seccomp=unconfined"));
  CHECK(has(fix_of(docker), "systempaths=unconfined"));
  f.machine.container = "podman";
  CHECK(has(fix_of(judge_user_namespaces(f)), "unmask=ALL"));
  f.machine.container = "kubernetes";
  CHECK(has(fix_of(judge_user_namespaces(f)), "procMount: Unmasked"));
  f.machine.container = "lxc";
  CHECK(has(fix_of(judge_user_namespaces(f)), "security.nesting true"));
  f.machine.container.clear();
  CHECK(has(judge_user_namespaces(f).cause, "seccomp filter is on the daemon"));
  f.machine.filtered = false;
  CHECK(has(judge_user_namespaces(f).cause, "chroot"));
}

TEST_CASE("root in a container needs a right and a volume more, or to be somebody else") {
  HostFacts f = without_user_namespaces("namespaces", EPERM);
  f.machine.container = "docker";
  CHECK(!has(fix_of(judge_user_namespaces(f)), "SYS_ADMIN"));
  f.machine.root = true;
  f.state.home = "/var/lib/codexos";
  const std::string fix = fix_of(judge_user_namespaces(f));
  CHECK(has(fix, "--cap-add SYS_ADMIN -v codexos-state:/var/lib/codexos IMAGE"));
  CHECK(has(fix, "--user 1000:1000"));

  f.machine.probe = good_machine().machine.probe;
  f.machine.probe.id_map = failed("idmapped mount", EPERM);
  f.state.magic = 0x794c7630;
  CHECK(has(judge_id_maps(f).cause, "CAP_SYS_ADMIN"));
  CHECK(has(fix_of(judge_id_maps(f)), "--cap-add SYS_ADMIN"));
  f.machine.probe.id_map = failed("idmapped mount", EINVAL);
  CHECK(has(fix_of(judge_id_maps(f)), "docker run -v codexos-state:/var/lib/codexos IMAGE"));
  CHECK(has(fix_of(judge_file_system(f)), "docker run -v codexos-state:/var/lib/codexos IMAGE"));
  f.machine.root = false;
  CHECK(has(fix_of(judge_file_system(f)), "-v DIR:/var/lib/codexos"));
  f.machine.container.clear();
  CHECK(has(fix_of(judge_file_system(f)), "CODEXOS_HOME="));
}

TEST_CASE("a container that covers parts of /proc") {
  HostFacts f = good_machine();
  f.machine.container = "docker";
  f.machine.probe.proc = failed("mount /proc", EPERM);
  const Finding proc = judge_proc(f);
  CHECK(proc.verdict == Verdict::problem);
  CHECK(has(fix_of(proc), "systempaths=unconfined"));
  CHECK(judge_proc(without_user_namespaces("namespaces", EPERM)).verdict ==
        Verdict::not_applicable);
}

TEST_CASE("root of a user namespace has not the user that tasks run as") {
  HostFacts f = without_user_namespaces("id maps", EPERM);
  f.machine.root = true;
  f.machine.task_uid_mapped = false;
  CHECK(has(judge_user_namespaces(f).cause, "root of a user namespace only"));
}

TEST_CASE("codexos-exec that cannot be asked") {
  HostFacts f = good_machine();
  f.machine.probe = {};
  f.machine.probe_error = "codexos-exec is not there";
  CHECK(judge_user_namespaces(f).verdict == Verdict::problem);
  CHECK(judge_user_namespaces(f).cause == "codexos-exec is not there");
  for (const auto& c : judge_host(f).checks)
    CHECK_MESSAGE((c.name == "user-namespaces" || c.verdict == Verdict::ok ||
                   c.verdict == Verdict::not_applicable),
                  c.name);
}

TEST_CASE("seccomp without a listener") {
  HostFacts f = good_machine();
  f.machine.probe.listener = failed("listener", EBUSY);
  CHECK(judge_seccomp(f).verdict == Verdict::warning);
  f.machine.probe.listener = failed("listener", EINVAL);
  CHECK(judge_seccomp(f).verdict == Verdict::problem);
  f.machine.probe.filter = failed("filter", ENOSYS);
  CHECK(judge_seccomp(f).verdict == Verdict::problem);
}

TEST_CASE("a kernel without nf_tables is a warning: tasks with --allow are served port by port") {
  HostFacts f = good_machine();
  f.machine.probe.network = failed("rules", EOPNOTSUPP);
  CHECK(judge_network(f).verdict == Verdict::warning);
  CHECK(has(fix_of(judge_network(f)), "modprobe"));
  f.machine.probe.network = {};
  CHECK(judge_network(f).verdict == Verdict::not_applicable);
}

TEST_CASE("cgroups that nobody gave us") {
  HostFacts f = good_machine();
  f.cgroups = {2, {}};
  f.machine.systemd = true;
  CHECK(judge_cgroups(f).verdict == Verdict::warning);
  CHECK(has(fix_of(judge_cgroups(f)), "systemd-run --user --scope -p Delegate=yes"));
  f.machine.systemd = false;
  CHECK(has(fix_of(judge_cgroups(f)), "/sys/fs/cgroup/codexos"));
  f.cgroups.version = 1;
  CHECK(has(fix_of(judge_cgroups(f)), "/sys/fs/cgroup/$c/codexos"));
  f.cgroups.version = 0;
  CHECK(judge_cgroups(f).verdict == Verdict::warning);
  f.cgroups = {2, {}};
  f.machine.container = "docker";
  f.machine.root = true;
  CHECK(has(fix_of(judge_cgroups(f)), "--cgroupns private"));
}

TEST_CASE("few open files") {
  HostFacts f = good_machine();
  f.limits.open_files = 1024;
  CHECK(judge_limits(f).verdict == Verdict::warning);
  f.limits.may_raise = true;
  CHECK(judge_limits(f).verdict == Verdict::ok);
  f.limits = {false, UINT64_MAX, 100};
  CHECK(has(fix_of(judge_limits(f)), "nproc"));
}

TEST_CASE("the state folder's owner, mode and place") {
  HostFacts f = good_machine();
  f.state.mode = 0755;
  Finding s = judge_state_folder(f);
  CHECK(s.verdict == Verdict::problem);
  CHECK(s.fixable);
  CHECK(fix_of(s) == "chmod 700 /home/ada/.local/state/codexos");
  f.state.mode = 0500;
  CHECK(judge_state_folder(f).fixable);
  f.state.owner = 0;
  s = judge_state_folder(f);
  CHECK(has(s.found, "belongs to uid 0"));
  CHECK(!s.fixable);
  f = good_machine();
  f.state.read_only = true;
  CHECK(has(judge_state_folder(f).cause, "read-only"));
  f = good_machine();
  f.state.exists = false;
  CHECK(judge_state_folder(f).verdict == Verdict::ok);
  f.state.writable = false;
  CHECK(judge_state_folder(f).verdict == Verdict::problem);
  f = good_machine();
  f.state.is_dir = false;
  CHECK(judge_state_folder(f).verdict == Verdict::problem);
  f = good_machine();
  f.state.database = "disk image is malformed";
  CHECK(has(judge_state_folder(f).cause, "malformed"));
  f.state.home = "/a b/it's";
  f.state.mode = 0777;
  CHECK(fix_of(judge_state_folder(f)) == "chmod 700 '/a b/it'\\''s'");
}

TEST_CASE("file systems that a state folder must not lie on, and those that lack something") {
  struct Row {
    int64_t magic;
    Verdict verdict;
  };
  for (const Row& r : {Row{0x6969, Verdict::problem}, Row{0x01021997, Verdict::problem},
                       Row{0x4d44, Verdict::problem}, Row{0x65735546, Verdict::warning},
                       Row{0x794c7630, Verdict::warning}, Row{0x01021994, Verdict::warning},
                       Row{0xef53, Verdict::ok}, Row{0x9123683e, Verdict::ok},
                       Row{0x58465342, Verdict::ok}, Row{0x12345678, Verdict::ok}}) {
    HostFacts f = good_machine();
    f.state.magic = r.magic;
    CHECK(judge_file_system(f).verdict == r.verdict);
    CHECK(judge_file_system(f).fix.empty() == (r.verdict == Verdict::ok));
  }
}

TEST_CASE("an overlay that cannot be, and ids that cannot be mapped") {
  HostFacts f = good_machine();
  f.state.magic = 0x794c7630;
  f.machine.probe.overlay = failed("overlay", EINVAL);
  const Finding o = judge_overlay(f);
  CHECK(o.verdict == Verdict::warning);
  CHECK(has(o.cause, "lies on overlay; tasks work on a copy"));
  CHECK(judge_id_maps(f).verdict == Verdict::not_applicable);
  f.machine.root = true;
  f.machine.probe.id_map = failed("idmapped mount", EINVAL);
  CHECK(judge_id_maps(f).verdict == Verdict::problem);
  CHECK(judge_overlay(f).verdict == Verdict::not_applicable);
  f.machine.probe.id_map = worked();
  CHECK(judge_id_maps(f).verdict == Verdict::ok);
}

TEST_CASE("room") {
  HostFacts f = good_machine();
  f.state.free_bytes = 500ULL << 20;
  CHECK(judge_space(f).verdict == Verdict::warning);
  f.state.free_bytes = 1 << 20;
  CHECK(judge_space(f).verdict == Verdict::problem);
  f = good_machine();
  f.state.free_inodes = 10;
  CHECK(judge_space(f).verdict == Verdict::problem);
  f.state.inodes = 0;  // btrfs does not count them
  CHECK(judge_space(f).verdict == Verdict::ok);
  CHECK(judge_space(f).found == "50.0 GiB free");
}

TEST_CASE("a clock before the build, and one that was set") {
  HostFacts f = good_machine();
  f.clock.now_us = 0;
  CHECK(judge_clock(f).verdict == Verdict::problem);
  f = good_machine();
  f.clock.stepped_us = -3600000000;
  CHECK(judge_clock(f).verdict == Verdict::warning);
  CHECK(has(judge_clock(f).found, "stepped by -3600.0 s"));
  f.clock.stepped_us = 1000;
  CHECK(judge_clock(f).verdict == Verdict::ok);
}

TEST_CASE("the socket's path, and what lies there") {
  HostFacts f = good_machine();
  f.state.socket = std::string(108, 'x');
  CHECK(judge_socket(f).verdict == Verdict::warning);
  f.state.socket = std::string(107, 'x');
  CHECK(judge_socket(f).verdict == Verdict::ok);
  f.state.socket_state = SocketState::leftover;
  CHECK(judge_socket(f).verdict == Verdict::ok);
  f.state.socket_state = SocketState::not_a_socket;
  CHECK(judge_socket(f).verdict == Verdict::problem);
  CHECK(judge_socket(f).fixable);
}

TEST_CASE("helpers that could not be parked tell why") {
  HostFacts f = good_machine();
  f.helpers.error = "view: no such file";
  CHECK(judge_helpers(f).verdict == Verdict::problem);
  CHECK(judge_helpers(f).cause == "view: no such file");
  f.helpers.wanted = false;
  CHECK(judge_helpers(f).verdict == Verdict::not_applicable);
  f.helpers.running = false;
  CHECK(judge_helpers(f).verdict == Verdict::not_applicable);
}

}  // namespace
}  // namespace codexos::daemon
