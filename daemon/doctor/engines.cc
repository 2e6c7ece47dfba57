// SPDX-License-Identifier: Apache-2.0
#include "daemon/doctor/engines.h"

#include <fmt/format.h>

#include <array>
#include <string_view>

#include "core/base/quote.h"

namespace codexos::daemon {
namespace {

struct Engine {
  std::string_view name;
  std::string_view run;  // begins a command line; empty: what follows is prose
  std::string_view isolation;
};
constexpr std::array kEngines{
    Engine{"docker", "docker run",
           "--security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt "
           "systempaths=unconfined"},
    Engine{"podman", "podman run",
           "--security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt "
           "unmask=ALL"},
    Engine{
        "kubernetes", "",
        "in the pod's spec: hostUsers: false; in the container's securityContext: seccompProfile: "
        "{type: Unconfined}, appArmorProfile: {type: Unconfined}, procMount: Unmasked"},
    Engine{"lxc", "", "lxc config set NAME security.nesting true && lxc restart NAME"},
    Engine{"", "",
           "start the container so that it may clone(2) user namespaces, mount(2) in them, and has "
           "a /proc without covers"},
};

const Engine& engine_of(const HostFacts& f) {
  for (const Engine& e : kEngines)
    if (e.name == f.machine.container) return e;
  return kEngines.back();
}

/// For root a named volume; for another user a folder of the host, since volumes are root's.
std::string volume_flag(const HostFacts& f) {
  return fmt::format("-v {}:{}", f.machine.root ? "codexos-state" : "DIR",
                     quote_shell(f.state.home));
}

}  // namespace

std::vector<std::string> isolation_fix(const HostFacts& f) {
  const Engine& e = engine_of(f);
  if (e.run.empty()) return {std::string(e.isolation)};
  if (!f.machine.root) return {fmt::format("{} {} IMAGE", e.run, e.isolation)};
  return {fmt::format("{} {} --cap-add SYS_ADMIN {} IMAGE", e.run, e.isolation, volume_flag(f)),
          fmt::format("or as an ordinary user: {} {} --user 1000:1000 IMAGE", e.run, e.isolation)};
}

std::vector<std::string> volume_fix(const HostFacts& f) {
  const Engine& e = engine_of(f);
  if (e.run.empty())
    return {fmt::format("mount a volume of the container's host at {}", f.state.home)};
  std::string line = fmt::format("{} {} IMAGE", e.run, volume_flag(f));
  if (!f.machine.root) line += fmt::format("  # DIR: a folder of uid {} on the host", f.state.ours);
  return {std::move(line)};
}

std::vector<std::string> container_cgroup_fix(const HostFacts& f) {
  const Engine& e = engine_of(f);
  if (e.run.empty()) return {"show the container its /sys/fs/cgroup writable"};
  return {fmt::format("{} --cgroupns private -v /sys/fs/cgroup:/sys/fs/cgroup:rw IMAGE{}", e.run,
                      f.machine.root ? "" : "  # and run codexos as root in it")};
}

}  // namespace codexos::daemon
