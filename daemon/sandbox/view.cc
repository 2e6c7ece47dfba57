// SPDX-License-Identifier: Apache-2.0
// What a task finds, as tables: each row of the view has a reason. Nothing is decided here about
// one task's workspace, so a helper can be parked with the result. The /etc table is view_etc.cc,
// /proc is view_proc.cc, programs below HOME are view_tools.cc.
#include <algorithm>

#include "core/base/binary.h"
#include "core/base/hash.h"
#include "core/base/path.h"
#include "core/base/version.h"
#include "core/os/landlock.h"
#include "daemon/sandbox/network.h"
#include "daemon/sandbox/view_parts.h"

namespace codexos::daemon {
namespace {

struct PathRow {
  std::string_view path;
  const char* why;
  bool entries = false;  // each of what is in it by itself, so that --show can add to it
};

/// Shown read-only where they exist. Symbolic links (merged /usr) are shown as links.
constexpr PathRow kSystem[] = {
    {"/usr", "programs and libraries"},
    {"/bin", "scripts name interpreters here"},
    {"/sbin", "scripts name interpreters here"},
    {"/lib", "the dynamic loader"},
    {"/lib32", "the dynamic loader"},
    {"/lib64", "the dynamic loader's name in every x86-64 program"},
    {"/libx32", "the dynamic loader"},
    {"/opt", "vendors' programs", true},
    {"/nix", "programs of Nix"},
    {"/gnu", "programs of Guix"},
    {"/home/linuxbrew", "programs of Homebrew"},
    {"/var/lib/texmf", "TeX's formats and font maps: pdflatex does not start without"},
    {"/var/lib/ghc", "GHC's package database on Debian"},
    {"/sys/devices/system/cpu", "how many processors there are: JVM, nproc, OpenMP"},
};

constexpr size_t kMaxEntries = 32;  // each is a mount

constexpr PathRow kDevices[] = {
    {"null", "every program"}, {"zero", "mmap and dd"},   {"full", "tests of full disks"},
    {"random", "randomness"},  {"urandom", "randomness"}, {"tty", "the task's own terminal"},
};
struct LinkRow {
  std::string_view path, text;
};
constexpr LinkRow kDeviceLinks[] = {
    {"/dev/ptmx", "pts/ptmx"},          {"/dev/fd", "/proc/self/fd"},
    {"/dev/stdin", "/proc/self/fd/0"},  {"/dev/stdout", "/proc/self/fd/1"},
    {"/dev/stderr", "/proc/self/fd/2"},
};

struct ScratchRow {
  std::string_view path;
  uint32_t mode;
};
constexpr ScratchRow kScratch[] = {
    {"/tmp", 01777}, {"/var/tmp", 01777}, {"/run", 0755}, {"/dev/shm", 01777}};

/// What all tasks of one user share outside is bounded in the task's own user namespace
/// (user_namespaces(7)). Mount namespaces: detached mounts of the set-up count too.
struct LimitRow {
  const char* name;
  uint64_t standard, nested;
  const char* why;
};
constexpr LimitRow kUserLimits[] = {
    {"max_inotify_instances", 64, 64, "one task took all 128 of its user"},
    {"max_inotify_watches", 65536, 65536, "the same"},
    {"max_user_namespaces", 0, 32, "only for programs with a sandbox of their own"},
    {"max_net_namespaces", 0, 8, "each is a whole network stack with nf_tables"},
    {"max_pid_namespaces", 0, 32, "as many as user namespaces"},
    {"max_ipc_namespaces", 0, 32, "as many as user namespaces"},
    {"max_uts_namespaces", 0, 32, "as many as user namespaces"},
    {"max_cgroup_namespaces", 0, 32, "as many as user namespaces"},
    {"max_mnt_namespaces", 256, 256, "the set-up itself needs some"},
    {"max_time_namespaces", 0, 0, "nobody needs one"},
};

/// Tells views apart; nobody gains by making two that collide.
std::string key_of(const View& v) {
  constexpr uint64_t kOtherBasis = 0x9ae16a3b2f90404fULL;
  const std::string bytes = to_binary(v) + kBuildId;
  return to_hex(fnv1a(bytes)) + to_hex(fnv1a(bytes, kOtherBasis));
}

/// The state folder is never seen, even when it lies below something that is shown (CODEXOS_HOME).
void cover_state(const std::string& state_home, const Host& host, std::vector<Mount>& out) {
  PathFact state;
  if (state_home.empty() || !host.lookup(state_home, state)) return;
  const auto inside = [&](const Mount& m) {
    return m.kind == MountKind::bind && path_within(m.source, state.path);
  };
  out.erase(std::remove_if(out.begin(), out.end(), inside), out.end());
  const std::vector<Mount> shown = out;
  for (const auto& m : shown) {
    if (m.kind != MountKind::bind || !path_within(state.path, m.source)) continue;
    Mount cover =
        tmpfs_at(MountRole::system, m.target + state.path.substr(m.source.size()), 0555, 4096, 2);
    cover.read_only = true;
    out.push_back(std::move(cover));
  }
}

}  // namespace

void bind_existing(const Host& host, MountRole role, const std::string& path,
                   const std::string& target, std::vector<Mount>& out) {
  PathFact fact;
  if (!host.lookup(path, fact)) return;
  Mount m;
  m.kind = MountKind::bind;
  m.role = role;
  m.source = fact.path;
  m.target = target;
  m.read_only = true;
  m.dev = fact.dev;
  m.ino = fact.ino;
  out.push_back(std::move(m));
}

Mount tmpfs_at(MountRole role, std::string target, uint32_t mode, uint64_t size, uint64_t inodes) {
  Mount m;
  m.kind = MountKind::tmpfs;
  m.role = role;
  m.target = std::move(target);
  m.mode = mode;
  m.size_bytes = size;
  m.inodes = inodes;
  return m;
}

Mount dir_at(MountRole role, std::string target, uint32_t mode) {
  Mount m;
  m.kind = MountKind::dir;
  m.role = role;
  m.target = std::move(target);
  m.mode = mode;
  return m;
}

Mount file_at(MountRole role, std::string target, std::string content, uint32_t mode) {
  Mount m;
  m.kind = MountKind::file;
  m.role = role;
  m.target = std::move(target);
  m.content = std::move(content);
  m.mode = mode;
  return m;
}

Mount link_at(MountRole role, std::string target, std::string text) {
  Mount m;
  m.kind = MountKind::symlink;
  m.role = role;
  m.target = std::move(target);
  m.source = std::move(text);
  return m;
}

void add_system(const Host& host, std::vector<Mount>& out) {
  const auto add = [&](const std::string& path) {
    if (std::string text; host.read_link(path, text))
      out.push_back(link_at(MountRole::system, path, std::move(text)));
    else
      bind_existing(host, MountRole::system, path, path, out);
  };
  for (const auto& row : kSystem) {
    const std::string path(row.path);
    PathFact fact;
    const bool apart = row.entries && host.lookup(path, fact) && fact.path == path;
    const auto names = apart ? host.list(path) : std::vector<std::string>();
    if (!apart || names.size() > kMaxEntries) {
      add(path);
      continue;
    }
    out.push_back(dir_at(MountRole::system, path, 0755));
    for (const auto& name : names) add(join_path(path, name));
  }
}

void add_dev(const Host& host, std::vector<Mount>& out) {
  out.push_back(tmpfs_at(MountRole::dev, "/dev", 0755, 64 << 10, 256));
  out.back().read_only = true;
  for (const auto& row : kDevices) {
    const std::string path = join_path("/dev", row.path);
    const size_t before = out.size();
    bind_existing(host, MountRole::dev, path, path, out);
    if (out.size() == before) continue;
    out.back().devices = true;
    out.back().read_only = false;  // says nothing about device nodes, and /dev/null is written to
  }
  Mount pts;
  pts.kind = MountKind::devpts;
  pts.role = MountRole::dev;
  pts.target = "/dev/pts";
  out.push_back(std::move(pts));
  for (const auto& row : kDeviceLinks)
    out.push_back(link_at(MountRole::dev, std::string(row.path), std::string(row.text)));
}

void add_scratch(const Inside& who, std::vector<Mount>& out) {
  for (const auto& row : kScratch)
    out.push_back(tmpfs_at(MountRole::scratch, std::string(row.path), row.mode, kScratchBytes,
                           kScratchInodes));
  out.push_back(dir_at(MountRole::scratch, "/run/lock", 01777));
  out.push_back(link_at(MountRole::scratch, "/var/run", "/run"));
  out.push_back(link_at(MountRole::scratch, "/var/lock", "/run/lock"));
  out.push_back(dir_at(MountRole::scratch, std::string(kCacheRoot), 0755));
  out.push_back(tmpfs_at(MountRole::home, who.home, 0700, kScratchBytes, kScratchInodes));
}

/// Links, so that one mount serves all caches: each mount costs a start 20 us.
void add_cache_links(const Inside& who, std::vector<Mount>& out) {
  for (const auto& row : cache_rows()) {
    const std::string target = join_path(who.home, row.target);
    const Mount* at = mount_at(target, {&out});
    // Inside a toolchain (GOROOT at ~/go) there is no place for it.
    if (at == nullptr || at->kind != MountKind::tmpfs) continue;
    out.push_back(link_at(MountRole::cache, target, join_path(kCacheRoot, row.folder)));
  }
}

/// What programs read from a home, as far as it names nothing secret.
void add_settings(const Caller& caller, const Inside& who, const Host& host,
                  std::vector<Mount>& out) {
  std::vector<HomeFile> files = registries(caller, host);
  if (std::string text = git_identity(caller, host); !text.empty())
    files.push_back({".gitconfig", std::move(text)});
  for (auto& f : files)
    out.push_back(file_at(MountRole::home, join_path(who.home, f.path), std::move(f.text), 0644));
}

Result<View> make_view(const ViewRequest& r, const Host& host) {
  const Inside who = inside_of(r.caller, host);
  if (r.caller.uid == 0 && r.task_host_uid == 0)
    return Error{Code::internal, "no host user id for the tasks of root", {}};
  View v;
  v.uid = {who.uid, r.task_host_uid != 0 ? r.task_host_uid : r.caller.uid};
  v.gid = {who.gid, r.task_host_gid != 0 ? r.task_host_gid : r.caller.gid};
  v.hostname = kHostname;
  v.nested = r.seccomp == wire::SeccompProfile::nested;
  v.host_network = r.net == wire::Network::host;
  v.landlock_abi = landlock_abi();
  if (r.net == wire::Network::allow) {
    CODEXOS_ASSIGN(v.network, network_batches());
  }

  v.mounts.push_back(tmpfs_at(MountRole::system, "/", 0755, 4 << 20, 4096));
  v.mounts.back().read_only = true;
  add_system(host, v.mounts);
  add_etc(who, r.net, host, v.mounts);
  add_dev(host, v.mounts);
  add_proc(r.seccomp, host, v.mounts);
  add_scratch(who, v.mounts);
  add_toolchains(r.caller, who, host, v.mounts);
  add_cache_links(who, v.mounts);
  add_settings(r.caller, who, host, v.mounts);
  for (const auto& place : r.places) v.mounts.push_back(dir_at(MountRole::system, place, 0755));
  cover_state(r.state_home, host, v.mounts);

  for (const auto& row : kUserLimits)
    v.user_limits.push_back({row.name, v.nested ? row.nested : row.standard});
  CODEXOS_ASSIGN(SeccompPrograms programs, seccomp_programs(r.seccomp));
  v.seccomp_allow = std::move(programs.allow);
  v.seccomp_deny = std::move(programs.deny);
  v.seccomp_seal = std::move(programs.seal);
  v.seccomp_notify = std::move(programs.notify);
  v.seccomp_learn = std::move(programs.learn);
  v.seccomp_seal_told = std::move(programs.seal_told);
  v.key = key_of(v);
  return v;
}

}  // namespace codexos::daemon
