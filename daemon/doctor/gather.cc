// SPDX-License-Identifier: Apache-2.0
#include "daemon/doctor/gather.h"

#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>

#include "core/base/clock.h"
#include "core/base/path.h"
#include "core/base/split.h"
#include "core/base/version.h"
#include "core/os/file.h"
#include "core/os/socket.h"
#include "daemon/doctor/probe.h"
#include "daemon/sandbox/network.h"

namespace codexos::daemon {
namespace {

std::string text_of(const std::string& path) {
  auto text = read_file(path);
  if (!text.ok()) return {};
  while (!text->empty() && (text->back() == '\n' || text->back() == '\0')) text->pop_back();
  return *std::move(text);
}

std::optional<int64_t> number_of(const std::string& path) {
  const std::string text = text_of(path);
  int64_t n = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (error != std::errc() || text.empty()) return std::nullopt;
  return n;
}

bool exists(const char* path) { return access(path, F_OK) == 0; }

/// The value of a line "Name:\tvalue" of /proc/self/status.
std::string status_line(const std::string& status, const std::string& name) {
  const size_t at = status.find("\n" + name + ":\t");
  if (at == std::string::npos) return {};
  const size_t begin = at + name.size() + 3;
  return status.substr(begin, status.find('\n', begin) - begin);
}

std::string init_container() {
  const std::string env = text_of("/proc/1/environ");
  constexpr std::string_view kName = "container=";
  for (size_t at = 0; at < env.size(); at = env.find('\0', at) + 1) {
    if (std::string_view(env).substr(at).starts_with(kName))
      return {env.c_str() + at + kName.size()};
    if (env.find('\0', at) == std::string::npos) break;
  }
  return {};
}

ContainerMarks container_marks() {
  ContainerMarks m;
  m.dockerenv = exists("/.dockerenv");
  m.containerenv = exists("/run/.containerenv");
  m.kubernetes = exists("/var/run/secrets/kubernetes.io");
  m.systemd = text_of("/run/systemd/container");
  m.init_container = init_container();
  m.cgroups = text_of("/proc/self/cgroup");
  return m;
}

MachineFacts gather_machine(const GatherOptions& o, bool home_exists) {
  MachineFacts m;
  utsname u{};
  uname(&u);
  m.kernel = u.release;
  m.arch = u.machine;
  m.root = o.task_host_uid != 0;
  m.container = container_of(container_marks());
  m.filtered = status_line(text_of("/proc/self/status"), "Seccomp") == "2";
  m.task_uid_mapped = !m.root || is_mapped(text_of("/proc/self/uid_map"), o.task_host_uid);
  m.systemd = exists("/run/systemd/system");
  m.max_user_namespaces = number_of("/proc/sys/user/max_user_namespaces");
  m.unprivileged_userns_clone = number_of("/proc/sys/kernel/unprivileged_userns_clone");
  m.apparmor_restricts = number_of("/proc/sys/kernel/apparmor_restrict_unprivileged_userns");
  m.apparmor_profile_for = profile_program(text_of("/etc/apparmor.d/codexos-exec"));
  const auto exec = real_path(o.exec_path);
  m.exec_path = exec.ok() ? *exec : o.exec_path;
  m.probe_error = o.exec_error;
  if (!m.probe_error.empty()) return m;

  constexpr uint32_t kInsideId = 1000;  // of root's tasks
  ProbeRequest r;
  if (home_exists) r.folder = o.place.home;
  r.uid = m.root ? IdMap{kInsideId, o.task_host_uid} : IdMap{geteuid(), geteuid()};
  r.gid = m.root ? IdMap{kInsideId, o.task_host_uid} : IdMap{getegid(), getegid()};
  if (auto batches = network_batches(); batches.ok()) r.network = *std::move(batches);
  auto probe = ask_probe(o.exec_path, r);
  if (probe.ok())
    m.probe = *std::move(probe);
  else
    m.probe_error = probe.error().message;
  return m;
}

/// Whether a group can be made there, and something put into it.
bool may_make_group(const std::string& dir) {
  return access(dir.c_str(), W_OK) == 0 && access((dir + "/cgroup.procs").c_str(), W_OK) == 0;
}

CgroupFacts gather_cgroups() {
  CgroupFacts c;
  for (const CgroupPlace& p :
       cgroup_places(text_of("/proc/self/mountinfo"), text_of("/proc/self/cgroup"))) {
    auto controllers =
        p.version == 2 ? split(text_of(p.dir + "/cgroup.controllers"), " ") : p.controllers;
    // Version 2 beside version 1 has the controllers that nobody else took.
    if (controllers.empty() && c.version != 0) continue;
    c.version = c.version == 0 ? p.version : std::min(c.version, p.version);
    if (may_make_group(p.dir))
      c.writable.insert(c.writable.end(), controllers.begin(), controllers.end());
  }
  std::sort(c.writable.begin(), c.writable.end());
  return c;
}

LimitFacts gather_limits() {
  LimitFacts l;
  __user_cap_header_struct head{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  if (syscall(SYS_capget, &head, data) == 0)
    l.may_raise = (data[0].effective & (1U << CAP_SYS_RESOURCE)) != 0;
  const auto hard = [](auto which) {
    rlimit r{};
    getrlimit(which, &r);
    return r.rlim_max == RLIM_INFINITY ? UINT64_MAX : uint64_t{r.rlim_max};
  };
  l.open_files = hard(RLIMIT_NOFILE);
  l.processes = hard(RLIMIT_NPROC);
  return l;
}

SocketState socket_state(const std::string& path) {
  struct stat st {};
  if (lstat(path.c_str(), &st) < 0) return SocketState::absent;
  if (!S_ISSOCK(st.st_mode)) return SocketState::not_a_socket;
  return connect_unix(path, SocketType::stream).ok() ? SocketState::listening
                                                     : SocketState::leftover;
}

StateFacts gather_state(const Place& place) {
  StateFacts s;
  s.home = place.home;
  s.socket = place.socket;
  s.ours = geteuid();
  struct stat st {};
  s.exists = stat(place.home.c_str(), &st) == 0;
  std::string there = place.home;
  if (s.exists) {
    s.is_dir = S_ISDIR(st.st_mode);
    s.owner = st.st_uid;
    s.mode = st.st_mode & 07777U;
  } else {
    while (there != "/" && stat(there.c_str(), &st) != 0) there = parent_path(there);
  }
  s.writable = access(there.c_str(), W_OK | X_OK) == 0;
  struct statfs fs {};
  struct statvfs vfs {};
  if (statfs(there.c_str(), &fs) == 0) s.magic = fs.f_type;
  if (statvfs(there.c_str(), &vfs) == 0) {
    s.read_only = (vfs.f_flag & ST_RDONLY) != 0;
    s.free_bytes = uint64_t{vfs.f_bavail} * vfs.f_frsize;
    s.inodes = vfs.f_files;
    s.free_inodes = vfs.f_favail;
  }
  s.socket_state = socket_state(place.socket);
  return s;
}

}  // namespace

std::string container_of(const ContainerMarks& m) {
  const auto in_cgroups = [&m](std::string_view word) {
    return m.cgroups.find(word) != std::string::npos;
  };
  if (m.kubernetes || in_cgroups("/kubepods")) return "kubernetes";
  if (m.containerenv || in_cgroups("/libpod-")) return "podman";
  if (m.dockerenv || in_cgroups("/docker/") || in_cgroups("/docker-")) return "docker";
  if (in_cgroups("/lxc/") || in_cgroups("/lxc.payload")) return "lxc";
  return m.systemd.empty() ? m.init_container : m.systemd;
}

bool is_mapped(std::string_view uid_map, uint64_t id) {
  for (const std::string& line : split(uid_map, "\n")) {
    const auto part = split(line, " ");
    if (part.size() != 3) continue;
    const uint64_t first = std::strtoull(part[0].c_str(), nullptr, 10);
    const uint64_t count = std::strtoull(part[2].c_str(), nullptr, 10);
    if (id >= first && id - first < count) return true;
  }
  return false;
}

std::string profile_program(std::string_view text) {
  for (const std::string& line : split(text, "\n")) {
    const auto word = split(line, " ");
    for (size_t i = 0; i < word.size() && word[0] == "profile"; ++i)
      if (word[i].starts_with('/')) return word[i];
  }
  return {};
}

std::vector<CgroupPlace> cgroup_places(std::string_view mountinfo, std::string_view own) {
  std::vector<CgroupPlace> out;
  for (const std::string& line : split(mountinfo, "\n")) {
    // proc(5): ... ROOT TARGET OPTIONS... - TYPE SOURCE SUPER-OPTIONS
    const size_t dash = line.find(" - ");
    const auto left = split(line.substr(0, dash), " ");
    const auto right =
        dash == std::string::npos ? std::vector<std::string>() : split(line.substr(dash + 3), " ");
    if (left.size() < 5 || right.size() < 3) continue;
    const bool two = right[0] == "cgroup2";
    if (!two && right[0] != "cgroup") continue;
    const auto options = split(right[2], ",");
    // cgroups(7): HIERARCHY:CONTROLLERS:PATH; version 2 has no controllers there.
    for (const std::string& group : split(own, "\n")) {
      const size_t colon = group.find(':');
      const size_t second = colon == std::string::npos ? colon : group.find(':', colon + 1);
      if (second == std::string::npos) continue;
      const auto controllers = split(group.substr(colon + 1, second - colon - 1), ",");
      const bool same =
          two ? controllers.empty()
              : !controllers.empty() &&
                    std::find(options.begin(), options.end(), controllers.front()) != options.end();
      if (!same || controllers == std::vector<std::string>{"name=systemd"}) continue;
      std::string path = group.substr(second + 1);
      // The mount may show a part of the hierarchy only, as in a container.
      if (left[3] != "/" && path_within(path, left[3])) path = path.substr(left[3].size());
      out.push_back(
          {two ? 2 : 1, controllers, path == "/" || path.empty() ? left[4] : left[4] + path});
    }
  }
  return out;
}

HostFacts gather_facts(const GatherOptions& o) {
  HostFacts f;
  f.state = gather_state(o.place);
  f.machine = gather_machine(o, f.state.exists && f.state.is_dir && f.state.writable);
  f.cgroups = gather_cgroups();
  f.limits = gather_limits();
  f.clock.now_us = now_us();
  f.clock.built_us = kBuiltAt * 1000000;
  return f;
}

}  // namespace codexos::daemon
