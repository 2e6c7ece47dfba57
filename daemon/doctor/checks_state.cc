// SPDX-License-Identifier: Apache-2.0
// Judgements of the state folder, of what lies in it, and of the clock.
#include <fmt/format.h>

#include <array>
#include <cerrno>

#include "core/base/clock.h"
#include "core/base/path.h"
#include "core/base/quote.h"
#include "daemon/doctor/checks.h"
#include "daemon/doctor/engines.h"
#include "daemon/sandbox/idmap.h"

namespace codexos::daemon {
namespace {

using wire::Finding;
using wire::is_ok;
using wire::not_applicable;
using wire::problem_of;
using wire::Verdict;
using wire::warn_of;
using Commands = std::vector<std::string>;

std::string size_of(uint64_t bytes) {
  constexpr double kGiB = 1024.0 * 1024 * 1024;
  constexpr uint64_t kMiB = 1 << 20;
  return bytes < kMiB * 1024 ? fmt::format("{} MiB", bytes / kMiB)
                             : fmt::format("{:.1f} GiB", static_cast<double>(bytes) / kGiB);
}

Commands elsewhere(const HostFacts& f) {
  constexpr int64_t kOverlay = 0x794c7630;
  if (f.state.magic == kOverlay && !f.machine.container.empty()) return volume_fix(f);
  return {"codexos daemon stop",
          "export CODEXOS_HOME=/var/tmp/codexos-$USER  # or another folder on ext4, xfs or btrfs"};
}

Commands as_user() { return {"run codexos as an ordinary user, who needs none of that"}; }

struct FileSystem {
  int64_t magic;  // linux/magic.h
  Verdict verdict;
  std::string_view cause;
};
constexpr std::string_view kNetwork =
    "on a network file system locks and the database's shared memory cannot be relied on";
constexpr std::string_view kNoRights = "it keeps no owners and modes, so others can read the state";
constexpr std::array kFileSystems{
    FileSystem{0x6969 /* nfs */, Verdict::problem, kNetwork},
    FileSystem{0x517b /* smb */, Verdict::problem, kNetwork},
    FileSystem{0xff534d42 /* cifs */, Verdict::problem, kNetwork},
    FileSystem{0xfe534d42 /* smb2 */, Verdict::problem, kNetwork},
    FileSystem{0x01021997 /* 9p */, Verdict::problem, kNetwork},
    FileSystem{0x00c36400 /* ceph */, Verdict::problem, kNetwork},
    FileSystem{0x5346414f /* afs */, Verdict::problem, kNetwork},
    FileSystem{0x0bd00bd0 /* lustre */, Verdict::problem, kNetwork},
    FileSystem{0x4d44 /* vfat */, Verdict::problem, kNoRights},
    FileSystem{0x2011bab0 /* exfat */, Verdict::problem, kNoRights},
    FileSystem{
        0x65735546 /* fuse */, Verdict::warning,
        "whether locks hold depends on the program behind it (sshfs: no), and no overlay can "
        "lie there"},
    FileSystem{0x794c7630 /* overlay */, Verdict::warning,
               "no other overlay can lie on it, and a container's goes with the container"},
    FileSystem{0x01021994 /* tmpfs */, Verdict::warning,
               "what is held back lies in memory, and is gone after the next boot"},
};

bool is_nobodys(const StateFacts& s) { return s.exists && s.owner != s.ours; }

}  // namespace

Finding judge_state_folder(const HostFacts& f) {
  const StateFacts& s = f.state;
  const std::string path = quote_shell(s.home);
  if (s.exists && !s.is_dir)
    return problem_of(s.home, "it is not a folder", {fmt::format("mv {0} {0}.old", path)});
  if (is_nobodys(s))
    return problem_of(fmt::format("{} belongs to uid {}", s.home, s.owner),
                      fmt::format("codexos runs as uid {}, and trusts no state of others", s.ours),
                      {fmt::format("sudo chown -R {}: {}", s.ours, path),
                       "or: export CODEXOS_HOME=DIR, a folder of your own"});
  if (s.read_only)
    return problem_of(
        s.home + ", read-only", "the file system is mounted read-only",
        {fmt::format("sudo mount -o remount,rw \"$(df --output=target {} | tail -n 1)\"",
                     s.exists ? path : quote_shell(parent_path(s.home)))});
  if (!s.exists && !s.writable)
    return problem_of(s.home + " is missing", "it cannot be made: the folder above is not writable",
                      {fmt::format("sudo install -d -m 700 -o {} {}", s.ours, path)});
  if (!s.exists) return is_ok(s.home + ", made when the daemon begins");
  // Root's tasks without namespaces pass through it by their group (landlock_start.h).
  const bool passable = s.ours == 0 && (s.mode & 0777) == 0710;
  if ((s.mode & 0777) != 0700 && !passable) {
    Finding out =
        problem_of(fmt::format("{}, mode {:04o}", s.home, s.mode & 07777),
                   (s.mode & 077) != 0 ? "others can look into it; it holds logs, changes "
                                         "and shared logins"
                                       : "we cannot work in it ourselves",
                   {fmt::format("chmod 700 {}", path)});
    out.fixable = true;
    return out;
  }
  if (!s.database.empty())
    return problem_of(
        s.home, "its database cannot be read: " + s.database,
        {"codexos daemon stop",
         fmt::format("mv {0}/tenants {0}/tenants.broken  # tasks are forgotten", path)});
  const std::string found = fmt::format("{}, mode {:04o}", s.home, s.mode & 0777) +
                            (s.vault.empty() ? "" : "; secrets: " + s.vault);
  if (!s.broken_vault.empty())
    return problem_of(found, "the vault does not open: " + s.broken_vault,
                      {"codexos secret status", "codexos secret accept  # after a restore"});
  return is_ok(found);
}

Finding judge_file_system(const HostFacts& f) {
  const StateFacts& s = f.state;
  const std::string name = filesystem_name(s.magic);
  for (const FileSystem& row : kFileSystems)
    if (row.magic == s.magic)
      return {row.verdict, name, std::string(row.cause), elsewhere(f), false};
  return is_ok(name);
}

Finding judge_overlay(const HostFacts& f) {
  const MachineFacts& m = f.machine;
  const Attempt& a = m.probe.overlay;
  if (!m.probe.user_namespace.ok()) return not_applicable("needs user-namespaces");
  if (m.probe.id_map.tried && !m.probe.id_map.ok()) return not_applicable("needs id-maps");
  if (!a.tried) return not_applicable("there is no state folder yet");
  if (a.ok()) return is_ok("mounted with userxattr, a file changed and one removed");
  return warn_of(a.text,
                 fmt::format("the state folder lies on {}; tasks work on a copy of the workspace",
                             filesystem_name(f.state.magic)),
                 elsewhere(f));
}

Finding judge_id_maps(const HostFacts& f) {
  const MachineFacts& m = f.machine;
  if (!m.root) return not_applicable("for root only");
  if (!m.probe.user_namespace.ok()) return not_applicable("needs user-namespaces");
  const Attempt& a = m.probe.id_map;
  if (!a.tried) return not_applicable("there is no state folder yet");
  if (a.ok()) return is_ok("the state folder can be shown to tasks as theirs");
  const std::string means = "; tasks of root, who run as such a user, do not start in a workspace";
  if (a.error == EPERM || a.error == EACCES)
    return problem_of(a.text,
                      "root needs CAP_SYS_ADMIN to show a folder under another user id" + means,
                      m.container.empty() ? as_user() : isolation_fix(f));
  Commands fix = elsewhere(f);
  for (std::string& line : as_user()) fix.push_back("or: " + std::move(line));
  return problem_of(a.text,
                    fmt::format("{} cannot be shown under another user id{}",
                                filesystem_name(f.state.magic), means),
                    std::move(fix));
}

Finding judge_space(const HostFacts& f) {
  constexpr uint64_t kLeast = 64ULL << 20, kLittle = 1ULL << 30;
  constexpr uint64_t kLeastInodes = 500, kFewInodes = 20000;
  const StateFacts& s = f.state;
  const std::string found =
      s.inodes == 0 ? fmt::format("{} free", size_of(s.free_bytes))
                    : fmt::format("{} and {} inodes free", size_of(s.free_bytes), s.free_inodes);
  const bool full = s.free_bytes < kLeast || (s.inodes != 0 && s.free_inodes < kLeastInodes);
  const bool low = s.free_bytes < kLittle || (s.inodes != 0 && s.free_inodes < kFewInodes);
  if (!full && !low) return is_ok(found);
  const Commands fix{"codexos prune  # forgets ended tasks whose changes do not wait",
                     fmt::format("du -xh --max-depth=2 {} | sort -h | tail",
                                 quote_shell(s.exists ? s.home : parent_path(s.home)))};
  return full ? problem_of(found, "tasks cannot be recorded, and are refused", fix)
              : warn_of(found, "logs and held-back changes may soon find no room", fix);
}

Finding judge_clock(const HostFacts& f) {
  constexpr int64_t kStepUs = 2000000;
  const ClockFacts& c = f.clock;
  const std::string now = format_time(c.now_us).substr(0, 19) + "Z";
  const Commands fix{"sudo timedatectl set-ntp true  # or: sudo date -s 'YYYY-MM-DD HH:MM:SS'"};
  if (c.now_us < c.built_us)
    return problem_of(now,
                      fmt::format("that is before this program was built, {}",
                                  format_time(c.built_us).substr(0, 10)),
                      fix);
  const int64_t stepped = c.stepped_us.value_or(0);
  if (stepped > kStepUs || stepped < -kStepUs)
    return warn_of(fmt::format("{}, stepped by {:+.1f} s since the daemon began", now,
                               static_cast<double>(stepped) / 1e6),
                   "what was edited while a task ran across a step cannot be told from what it "
                   "changed: apply takes such paths for conflicts",
                   fix);
  return is_ok(now);
}

Finding judge_socket(const HostFacts& f) {
  constexpr size_t kLongest = 107;  // sun_path of unix(7), with its NUL
  const StateFacts& s = f.state;
  if (s.socket_state == SocketState::not_a_socket) {
    Finding out = problem_of(s.socket, "something else has its name, so no daemon can begin",
                             {fmt::format("mv {0} {0}.old", quote_shell(s.socket))});
    out.fixable = true;
    return out;
  }
  if (s.socket.size() > kLongest)
    return warn_of(fmt::format("{} bytes long", s.socket.size()),
                   "a path of more than 107 bytes is none for other programs (curl --unix-socket); "
                   "codexos itself goes another way",
                   {"codexos daemon stop",
                    "export CODEXOS_HOME=DIR  # with a shorter path; tasks stay where they are"});
  if (s.socket_state == SocketState::leftover)
    return is_ok(s.socket + ", left by a daemon that has gone; the next replaces it");
  return is_ok(s.socket);
}

Finding judge_helpers(const HostFacts& f) {
  const HelperFacts& h = f.helpers;
  if (!h.running) return not_applicable("no daemon was asked");
  if (!h.wanted) return not_applicable("switched off by CODEXOS_PARKED");
  if (!h.error.empty())
    return problem_of("none", h.error,
                      {"codexos doctor  # the checks above say what is missing", "codexos health"});
  if (h.parked == 0) return is_ok("none yet");
  return is_ok(fmt::format("{} parked", h.parked));
}

}  // namespace codexos::daemon
