// SPDX-License-Identifier: Apache-2.0
// /proc of a task: its own processes, and of the host what programs need to know. The profile
// `nested` leaves it unmasked, since a masked one forbids every /proc further inside
// (mount_too_revealing).
#include "core/base/path.h"
#include "daemon/sandbox/view_parts.h"

namespace codexos::daemon {
namespace {

struct MaskRow {
  std::string_view name;
  const char* why;
};
constexpr MaskRow kMasks[] = {
    {"sys", "settings of the host, some writable by its owner; a table of harmless values instead"},
    {"keys", "descriptions of the user's keys"},
    {"key-users", "how many keys each user has"},
    {"kallsyms", "the kernel's symbols"},
    {"timer_list", "addresses and other processes"},
    {"interrupts", "times key strokes"},
    {"softirqs", "the same, coarser"},
    {"config.gz", "how to attack this kernel"},
    {"kcore", "the kernel's memory"},
    {"kmsg", "the kernel's log"},
    {"kpagecount", "physical memory"},
    {"kpageflags", "physical memory"},
    {"kpagecgroup", "physical memory"},
    {"slabinfo", "heap layout of the kernel"},
    {"vmallocinfo", "addresses of the kernel"},
    {"pagetypeinfo", "physical memory"},
    {"iomem", "physical memory"},
    {"ioports", "hardware"},
    {"mtrr", "hardware, writable"},
    {"acpi", "hardware"},
    {"scsi", "hardware, writable (removes disks)"},
    {"asound", "hardware"},
    {"driver", "hardware"},
    {"bus", "hardware"},
    {"fs", "file systems of the host"},
    {"irq", "hardware, writable"},
    {"sysrq-trigger", "reboots the host"},
    {"latency_stats", "other processes"},
    {"sched_debug", "other processes"},
};

struct SysctlRow {
  std::string_view path;
  std::string_view value;  // empty: the host's
  const char* who;
};
constexpr SysctlRow kSysctls[] = {
    {"kernel/ostype", "", "uname in scripts"},
    {"kernel/osrelease", "", "uname in scripts, Go, WSL checks"},
    {"kernel/version", "", "uname in scripts"},
    {"kernel/overflowuid", "", "bwrap, podman"},
    {"kernel/overflowgid", "", "bwrap, podman"},
    {"kernel/pid_max", "", "JVM, databases"},
    {"kernel/cap_last_cap", "", "libcap, systemd tools"},
    {"kernel/threads-max", "", "JVM"},
    {"kernel/ngroups_max", "", "getconf"},
    {"kernel/core_pattern", "core\n", "JVM's crash report; the host's may name programs"},
    {"kernel/randomize_va_space", "", "gdb, sanitizers"},
    {"kernel/perf_event_paranoid", "4\n", "perf is refused inside"},
    {"kernel/shmmax", "", "databases"},
    {"kernel/shmall", "", "databases"},
    {"kernel/shmmni", "", "databases"},
    {"kernel/sem", "", "PostgreSQL"},
    {"kernel/msgmax", "", "System V queues"},
    {"kernel/msgmnb", "", "System V queues"},
    {"kernel/seccomp/actions_avail", "", "libseccomp, Firefox"},
    {"kernel/random/entropy_avail", "256\n", "gpg, scripts"},
    {"kernel/random/poolsize", "256\n", "gpg, scripts"},
    {"vm/overcommit_memory", "", "jemalloc, Redis, Go"},
    {"vm/max_map_count", "", "JVM, ZGC, sanitizers"},
    {"vm/mmap_min_addr", "", "sanitizers, Wine"},
    {"vm/swappiness", "", "databases"},
    {"vm/nr_hugepages", "", "databases, JVM"},
    {"net/core/somaxconn", "", "Go reads its listen backlog here"},
    {"net/ipv4/ip_local_port_range", "", "test suites that pick ports"},
    {"net/ipv4/ip_unprivileged_port_start", "", "servers on low ports"},
    {"net/ipv4/tcp_fastopen", "", "servers"},
    {"fs/file-max", "", "databases"},
    {"fs/nr_open", "", "databases, systemd tools"},
    {"fs/pipe-max-size", "", "programs that enlarge pipes"},
    {"fs/aio-max-nr", "", "databases"},
    {"fs/inotify/max_user_instances", "64\n", "file watchers: the task's own limit"},
    {"fs/inotify/max_user_watches", "65536\n", "file watchers: the task's own limit"},
    {"fs/inotify/max_queued_events", "", "file watchers"},
    {"user/max_user_namespaces", "0\n", "programs that ask whether they can sandbox themselves"},
};

void cover(const std::string& path, bool is_dir, std::vector<Mount>& out) {
  if (is_dir) {
    out.push_back(tmpfs_at(MountRole::proc, path, 0555, 4096, 2));
    out.back().read_only = true;
    return;
  }
  Mount m;
  m.kind = MountKind::hide;
  m.role = MountRole::proc;
  m.target = path;
  m.read_only = true;
  out.push_back(std::move(m));
}

void add_sysctls(const Host& host, std::vector<Mount>& out) {
  out.push_back(tmpfs_at(MountRole::proc, "/proc/sys", 0555, 1 << 20, 256));
  out.back().read_only = true;
  for (const auto& row : kSysctls) {
    const std::string path = join_path("/proc/sys", row.path);
    std::string value(row.value);
    if (value.empty() && !host.read(path, value)) continue;
    out.push_back(file_at(MountRole::proc, path, std::move(value)));
  }
  // A new one at every read; `cat` of it is how scripts make ids. Its inode number may change.
  const size_t before = out.size();
  const std::string uuid = "/proc/sys/kernel/random/uuid";
  bind_existing(host, MountRole::proc, uuid, uuid, out);
  if (out.size() > before) out.back().dev = out.back().ino = 0;
}

}  // namespace

void add_proc(wire::SeccompProfile p, const Host& host, std::vector<Mount>& out) {
  Mount proc;
  proc.kind = MountKind::proc;
  proc.role = MountRole::proc;
  proc.target = "/proc";
  out.push_back(std::move(proc));
  if (p == wire::SeccompProfile::nested) return;
  for (const auto& row : kMasks) {
    const std::string path = join_path("/proc", row.name);
    PathFact fact;
    if (!host.lookup(path, fact)) continue;
    // Root's alone: a task is never root outside (kcore, kpageflags, slabinfo ...). A mount less.
    const bool closed = (fact.mode & 0170000) == 0100000 && (fact.mode & 0077) == 0;
    if (closed) continue;
    if (row.name == "sys")
      add_sysctls(host, out);
    else
      cover(path, fact.is_dir, out);
  }
}

}  // namespace codexos::daemon
