// SPDX-License-Identifier: Apache-2.0
// The Plan: everything codexos-exec needs to build one sandbox and run one program in it. Made by
// pure functions in the daemon (daemon/sandbox), decided to the last mount before anything happens.
// It has two halves, since a helper is parked with the View before it knows its task:
//   View  namespaces, ids, the constant mounts, hostname, seccomp programs   (what a parked helper
//   has) Job   the workspace's mounts and overlays, argv, env, cwd, limits, stdio (what one task
//   adds)
//
// Descriptors travel beside the bytes by SCM_RIGHTS; the plan names them by index (`fd` members,
// -1: none). Under a root daemon all sources are detached idmapped mounts (open_tree(2),
// mount_setattr(2)) made by the daemon; otherwise the helper opens `source` itself through its old
// root and compares device and inode with the plan.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "core/base/fields.h"

namespace codexos {

enum class MountKind : int {
  bind,     // source (or fd) shown at target, recursively
  tmpfs,    // an empty tmpfs: mode, size_bytes, inodes
  proc,     // a new procfs of the task's pid namespace
  devpts,   // a new devpts instance, ptmxmode 0666
  dir,      // an empty directory, made in whatever is mounted there
  file,     // a small file with `content`
  symlink,  // a symbolic link whose text is `source`
  hide,     // the file at target is covered by an empty one that nobody can write
};
constexpr auto enum_names(MountKind) {
  return std::array{EnumName{MountKind::bind, "bind"},       EnumName{MountKind::tmpfs, "tmpfs"},
                    EnumName{MountKind::proc, "proc"},       EnumName{MountKind::devpts, "devpts"},
                    EnumName{MountKind::dir, "dir"},         EnumName{MountKind::file, "file"},
                    EnumName{MountKind::symlink, "symlink"}, EnumName{MountKind::hide, "hide"}};
}

/// What a mount is for: shown in --plan-only and the record, and what decides its Landlock rights.
enum class MountRole : int {
  system,
  etc,
  dev,
  proc,
  home,
  scratch,
  toolchain,
  cache,
  workspace,
  gitdir,
  shown,
  write_through,
  agent,  // folders of an agent: kept for the workspace, or its login
  hidden  // covers a part of what is shown
};
constexpr auto enum_names(MountRole) {
  return std::array{EnumName{MountRole::system, "system"},
                    EnumName{MountRole::etc, "etc"},
                    EnumName{MountRole::dev, "dev"},
                    EnumName{MountRole::proc, "proc"},
                    EnumName{MountRole::home, "home"},
                    EnumName{MountRole::scratch, "scratch"},
                    EnumName{MountRole::toolchain, "toolchain"},
                    EnumName{MountRole::cache, "cache"},
                    EnumName{MountRole::workspace, "workspace"},
                    EnumName{MountRole::gitdir, "gitdir"},
                    EnumName{MountRole::shown, "shown"},
                    EnumName{MountRole::write_through, "write-through"},
                    EnumName{MountRole::agent, "agent"},
                    EnumName{MountRole::hidden, "hidden"}};
}

/// One row of the view, applied in order. Missing parent directories of `target` are made (0755) as
/// long as they lie in a tmpfs of the view; inside other mounts the target must exist.
struct Mount {
  MountKind kind = MountKind::bind;
  MountRole role = MountRole::system;
  std::string source;      // bind: absolute host path, already resolved; symlink: the link's text
  int32_t fd = -1;         // bind: a detached mount among the passed descriptors, instead of source
  std::string target;      // absolute path inside the task
  bool read_only = false;  // bind, tmpfs (after the view is complete)
  bool devices = false;    // bind: keeps device nodes usable (/dev/null and friends only)
  uint64_t dev = 0;        // bind: expected st_dev and st_ino of source; ino 0: not checked
  uint64_t ino = 0;
  uint64_t size_bytes = 0;  // tmpfs
  uint64_t inodes = 0;      // tmpfs
  uint32_t mode = 0755;     // tmpfs, dir, file
  std::string content;      // file

  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("kind", s.kind);
    v("role", s.role);
    v("source", s.source);
    v("fd", s.fd);
    v("target", s.target);
    v("read_only", s.read_only);
    v("devices", s.devices);
    v("dev", s.dev);
    v("ino", s.ino);
    v("size_bytes", s.size_bytes);
    v("inodes", s.inodes);
    v("mode", s.mode);
    v("content", s.content);
  }
};

/// Part of the view that holds nothing of one task and cannot be written to, with all that is put
/// into it: tasks share it, like the root (daemon/exec/zygote.h).
inline bool is_unit(const Mount& m) {
  return m.kind == MountKind::tmpfs && m.read_only && m.target != "/";
}

/// A directory named by path (user daemon) or by a detached idmapped mount (root daemon).
struct DirRef {
  std::string path;
  int32_t fd = -1;
  uint64_t dev = 0;
  uint64_t ino = 0;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("path", s.path);
    v("fd", s.fd);
    v("dev", s.dev);
    v("ino", s.ino);
  }
};

/// One overlay root. Mounted rootless with userxattr. `layer` is a folder that holds upper/ and
/// work/. `lowers` are in overlay order: topmost first, the real folder last. A lower other than
/// the last is an earlier task's `upper` folder itself.
struct Overlay {
  MountRole role = MountRole::workspace;
  std::string target;
  std::vector<DirRef> lowers;
  DirRef layer;
  bool ready = false;  // the helper has it mounted: it was told before the job (LinkType::overlay)
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("role", s.role);
    v("target", s.target);
    v("lowers", s.lowers);
    v("layer", s.layer);
    v("ready", s.ready);
  }
};

/// One line of an id map (user_namespaces(7)): inside id -> host id, always count 1.
struct IdMap {
  uint32_t inside = 0;
  uint32_t host = 0;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("inside", s.inside);
    v("host", s.host);
  }
};

/// In the flags of renameat2(2) and linkat(2): this call is not looked at. The kernel reads 32 bits
/// of them, the filter all 64. No secret: whoever sets it gets the bare kernel.
inline constexpr uint64_t kUnwatched = 1ULL << 62;

struct Sysctl {  // /proc/sys/user/<name> of the task's own user namespace
  std::string name;
  uint64_t value = 0;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("name", s.name);
    v("value", s.value);
  }
};

/// Netlink messages that set up the task's network namespace (netlink(7)), made by the daemon once:
/// codexos-exec sends them and reads an acknowledgement for each message that asks for one.
struct NetlinkBatch {
  int32_t protocol = 0;   // NETLINK_ROUTE, NETLINK_NETFILTER
  std::string bytes;      // whole messages, one behind the other
  bool fallback = false;  // only when the batch before could not be set up
  bool may_fail = false;  // the kernel may lack it (IPv6)
  std::string what;       // for the message of a failure
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("protocol", s.protocol);
    v("bytes", s.bytes);
    v("fallback", s.fallback);
    v("may_fail", s.may_fail);
    v("what", s.what);
  }
};

struct View {
  std::string key;  // what it was built for; a helper is only used for a task with the same key
  IdMap uid;        // host 0 or inside 0 is refused by the helper
  IdMap gid;
  std::string hostname;
  std::vector<Mount> mounts;  // in order; the first tmpfs is the root
  std::vector<Sysctl> user_limits;
  std::string seccomp_allow;  // BPF: struct sock_filter[] bytes, the allow-list (filter 1)
  std::string seccomp_deny;   // BPF: argument denials (filter 2)
  std::string seccomp_seal;   // BPF: refuses what the allow-list lets pass for the set-up only
  // BPF, loaded with a listener: for jobs with overlays calls that the seams' worker answers, or
  // refuses and tells; and where what a task needs is learnt, those that name a path, for its
  // programs only. Empty: the profile has none.
  std::string seccomp_notify;
  std::string seccomp_learn;
  std::string seccomp_seal_told;  // BPF: seccomp_seal without what the listener refuses
  bool nested = false;            // profile nested: Landlock scopes only, /proc unmasked
  bool host_network = false;      // no network namespace
  int32_t landlock_abi = 0;       // what the daemon's probe found; below 2: Landlock is not used
  std::vector<NetlinkBatch> network;  // empty: only its own loopback
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("key", s.key);
    v("uid", s.uid);
    v("gid", s.gid);
    v("hostname", s.hostname);
    v("mounts", s.mounts);
    v("user_limits", s.user_limits);
    v("seccomp_allow", s.seccomp_allow);
    v("seccomp_deny", s.seccomp_deny);
    v("seccomp_seal", s.seccomp_seal);
    v("seccomp_notify", s.seccomp_notify);
    v("seccomp_learn", s.seccomp_learn);
    v("seccomp_seal_told", s.seccomp_seal_told);
    v("nested", s.nested);
    v("host_network", s.host_network);
    v("landlock_abi", s.landlock_abi);
    v("network", s.network);
  }
};

struct Limit {  // setrlimit(2): resource number, soft = hard = value
  int32_t resource = 0;
  uint64_t value = 0;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("resource", s.resource);
    v("value", s.value);
  }
};

/// The task's own cgroup, by descriptors of files that the daemon has opened: the shim has no view
/// of the hierarchy. Indices among the passed descriptors, -1: none.
struct CgroupFiles {
  int32_t version = 0;        // 1 or 2; 0: the task has no cgroup
  std::vector<int32_t> join;  // cgroup.procs of each hierarchy, to write to
  int32_t memory = -1;        // memory.usage_in_bytes; memory.current
  int32_t memory_stat = -1;   // memory.stat
  int32_t oom = -1;           // memory.oom_control; memory.events
  int32_t cpu = -1;           // cpuacct.usage; cpu.stat
  int32_t pids = -1;          // pids.current
  int32_t freezer = -1;       // freezer.state; cgroup.freeze; to read and write
  int32_t events = -1;        // version 2: cgroup.events
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("version", s.version);
    v("join", s.join);
    v("memory", s.memory);
    v("memory_stat", s.memory_stat);
    v("oom", s.oom);
    v("cpu", s.cpu);
    v("pids", s.pids);
    v("freezer", s.freezer);
    v("events", s.events);
  }
};

/// Where one of the program's descriptors 0, 1, 2 goes.
enum class Stdio : int {
  null,    // /dev/null
  pipe,    // a byte stream of its own, relayed as frames (and logged for 1, 2)
  passed,  // 1, 2: relayed into the client's own descriptor (Job::stdout_fd/stderr_fd), and logged
  pty,     // the task's terminal
};
constexpr auto enum_names(Stdio) {
  return std::array{EnumName{Stdio::null, "null"}, EnumName{Stdio::pipe, "pipe"},
                    EnumName{Stdio::passed, "passed"}, EnumName{Stdio::pty, "pty"}};
}

struct Job {
  std::string task_id;
  std::string secret;  // who shows it on shim.sock is the daemon
  std::vector<Mount>
      mounts;  // after the view's; those of role write_through and hidden after the overlays
  std::vector<Overlay> overlays;
  std::vector<std::string> argv;  // argv[0] without '/' is searched in PATH of env
  std::vector<std::string> env;   // K=V
  std::string cwd;
  uint32_t umask = 022;
  std::vector<Limit> limits;
  int32_t nice = 0;
  Stdio stdin_mode = Stdio::null;
  Stdio stdout_mode = Stdio::pipe;
  Stdio stderr_mode = Stdio::pipe;
  uint32_t rows = 24;  // first size of the terminal
  uint32_t cols = 80;
  uint64_t timeout_ms = 0;            // 0: none
  uint64_t idle_timeout_ms = 0;       // no output for so long; 0: none
  uint64_t stop_grace_ms = 10000;     // TERM to KILL
  uint64_t log_cap_bytes = 64 << 20;  // per stream, half head, half tail
  bool owned = false;  // a client owns the task: its end without detach ends the task
  bool learn = false;  // tell the paths that its programs look for in vain
  // Passed descriptors, by index; -1: none.
  int32_t stdout_log_fd = -1;
  int32_t stderr_log_fd = -1;
  int32_t record_fd = -1;  // record.h, 4096 bytes, opened O_RDWR
  int32_t alive_fd = -1;   // flocked by the daemon; held open by the shim until it is gone
  int32_t listen_fd = -1;  // shim.sock, SOCK_SEQPACKET, listening
  int32_t client_fd = -1;  // the client's connection after its 101 reply
  int32_t stdout_fd = -1;  // the client's own stdout and stderr (Stdio::passed)
  int32_t stderr_fd = -1;
  std::vector<int32_t> reach_ports;  // of the host's loopback, listened on inside
  // For a kernel without nf_tables: the ports that its rules name, unless they are too many.
  std::vector<int32_t> net_ports;
  bool too_many_net_ports = false;
  // What the shim watches and ends the task for; 0: no limit. With a cgroup the kernel holds
  // memory and pids, too.
  uint64_t memory_bytes = 0;
  uint64_t cpu_time_ms = 0;
  uint64_t disk_bytes = 0;
  uint64_t pids = 0;
  CgroupFiles cgroup;
  std::vector<std::string> values;  // of secrets that the task has: not to stand in its log
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("task_id", s.task_id);
    v("secret", s.secret);
    v("mounts", s.mounts);
    v("overlays", s.overlays);
    v("argv", s.argv);
    v("env", s.env);
    v("cwd", s.cwd);
    v("umask", s.umask);
    v("limits", s.limits);
    v("nice", s.nice);
    v("stdin_mode", s.stdin_mode);
    v("stdout_mode", s.stdout_mode);
    v("stderr_mode", s.stderr_mode);
    v("rows", s.rows);
    v("cols", s.cols);
    v("timeout_ms", s.timeout_ms);
    v("idle_timeout_ms", s.idle_timeout_ms);
    v("stop_grace_ms", s.stop_grace_ms);
    v("log_cap_bytes", s.log_cap_bytes);
    v("owned", s.owned);
    v("learn", s.learn);
    v("stdout_log_fd", s.stdout_log_fd);
    v("stderr_log_fd", s.stderr_log_fd);
    v("record_fd", s.record_fd);
    v("alive_fd", s.alive_fd);
    v("listen_fd", s.listen_fd);
    v("client_fd", s.client_fd);
    v("stdout_fd", s.stdout_fd);
    v("stderr_fd", s.stderr_fd);
    v("reach_ports", s.reach_ports);
    v("net_ports", s.net_ports);
    v("too_many_net_ports", s.too_many_net_ports);
    v("memory_bytes", s.memory_bytes);
    v("cpu_time_ms", s.cpu_time_ms);
    v("disk_bytes", s.disk_bytes);
    v("pids", s.pids);
    v("cgroup", s.cgroup);
    v("values", s.values);
  }
};

/// The file that `codexos-exec PLAN` reads: both halves, no passed descriptors.
struct Plan {
  View view;
  Job job;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("view", s.view);
    v("job", s.job);
  }
};

}  // namespace codexos
