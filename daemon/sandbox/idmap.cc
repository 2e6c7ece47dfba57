// SPDX-License-Identifier: Apache-2.0
#include "daemon/sandbox/idmap.h"

#include <poll.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <array>
#include <cerrno>

#include "core/base/binary.h"
#include "core/base/frames.h"
#include "core/os/link.h"
#include "core/os/mount.h"
#include "core/os/socket.h"
#include "core/os/spawn.h"

namespace codexos::daemon {
namespace {

/// What belongs to the workspace's owner or the caller; everything else is root's and
/// world-readable.
bool needs_mapping(const Mount& m) {
  if (m.kind != MountKind::bind) return false;
  switch (m.role) {
    case MountRole::toolchain:
    case MountRole::cache:
    case MountRole::home:
    case MountRole::shown:
    case MountRole::workspace:
    case MountRole::gitdir:
    case MountRole::write_through:
    case MountRole::agent:
      return true;
    case MountRole::system:
    case MountRole::etc:
    case MountRole::dev:
    case MountRole::proc:
    case MountRole::scratch:
    case MountRole::hidden:
      return false;
  }
  return false;
}

struct MagicRow {
  int64_t magic;
  std::string_view name;
};
// linux/magic.h; those that people meet.
constexpr std::array kMagics{
    MagicRow{0x794c7630, "overlay"},  MagicRow{0xef53, "ext4"},      MagicRow{0x58465342, "xfs"},
    MagicRow{0x9123683e, "btrfs"},    MagicRow{0x01021994, "tmpfs"}, MagicRow{0x6969, "nfs"},
    MagicRow{0x65735546, "fuse"},     MagicRow{0x01021997, "9p"},    MagicRow{0x2fc12fc1, "zfs"},
    MagicRow{0x6a656a63, "virtiofs"}, MagicRow{0x517b, "smb"},       MagicRow{0xff534d42, "cifs"},
};

Result<Fd> ask_for_userns(const std::string& exec, uid_t uid, gid_t gid, uint32_t host_uid,
                          uint32_t host_gid) {
  CODEXOS_ASSIGN(auto pair, socket_pair(SocketType::seqpacket));
  SpawnOptions o;
  o.path = exec;
  o.argv = {"codexos-exec",           "--idmap",
            std::to_string(uid),      std::to_string(gid),
            std::to_string(host_uid), std::to_string(host_gid)};
  o.fds = {{2, 2}, {pair.second.get(), 3}};
  CODEXOS_TRY(spawn(o));  // reaped by main's SIGCHLD handler
  pair.second.reset();
  // The helper needs about a millisecond, once per owner; a hung one must not hang the daemon.
  pollfd p{pair.first.get(), POLLIN, 0};
  if (poll(&p, 1, 2000) <= 0)
    return Error{Code::timeout, "codexos-exec --idmap does not answer", {}};
  CODEXOS_ASSIGN(LinkMessage m, recv_link(pair.first.get()));
  if (m.type == LinkType::parked && !m.fds.empty()) return std::move(m.fds.front());
  const auto why = from_binary<StepFailure>(m.payload);
  return Error{Code::unavailable, why.ok() ? why->step + ": " + why->text : "no answer", {}};
}

}  // namespace

std::string filesystem_name(int64_t magic) {
  for (const auto& row : kMagics)
    if (row.magic == magic) return std::string(row.name);
  char hex[32];
  snprintf(hex, sizeof hex, "file system 0x%llx", static_cast<unsigned long long>(magic));
  return hex;
}

Result<int> Idmapper::userns_for(uid_t uid, gid_t gid) {
  const auto it = namespaces_.find({uid, gid});
  if (it != namespaces_.end()) return it->second.get();
  auto made = ask_for_userns(exec_, uid, gid, uid_, gid_);
  if (!made.ok()) return std::move(made).error().during("make id mapping");
  const int fd = made->get();
  namespaces_.emplace(std::make_pair(uid, gid), *std::move(made));
  return fd;
}

Result<Fd> Idmapper::mapped_clone(const std::string& path, bool recursive) {
  const Recurse recurse = recursive ? Recurse::yes : Recurse::no;
  auto cloned = clone_tree(path, recurse);
  if (!cloned.ok()) {
    // A root that may not even do that (of a user namespace, of a container) can isolate nothing.
    if (cloned.error().code == Code::denied) cloned.error().code = Code::unavailable;
    return std::move(cloned).error();
  }
  Fd clone = *std::move(cloned);
  struct stat st {};
  if (fstat(clone.get(), &st) < 0) return errno_error("stat " + path, errno);
  MountFlags flags;
  CODEXOS_ASSIGN(flags.userns_fd, userns_for(st.st_uid, st.st_gid));
  if (auto s = set_mount(clone.get(), flags, recurse); !s.ok()) {
    struct statfs fs {};
    const std::string name =
        fstatfs(clone.get(), &fs) == 0 ? filesystem_name(fs.f_type) : "unknown file system";
    return Error{Code::unavailable,
                 path + " lies on " + name + ", which cannot be shown under another user id (" +
                     s.error().message + ")",
                 "run codexos as an ordinary user, or use a folder on ext4, xfs, btrfs or tmpfs"};
  }
  return clone;
}

Status Idmapper::map_mount(Mount& m, size_t before, std::vector<Fd>& fds) {
  if (!needs_mapping(m) || m.fd >= 0) return {};
  CODEXOS_ASSIGN(Fd clone, mapped_clone(m.source, false));
  m.fd = static_cast<int32_t>(before + fds.size());
  fds.push_back(std::move(clone));
  return {};
}

Status Idmapper::map_dir(DirRef& dir, size_t before, std::vector<Fd>& fds) {
  CODEXOS_ASSIGN(Fd clone, mapped_clone(dir.path, false));
  dir.fd = static_cast<int32_t>(before + fds.size());
  fds.push_back(std::move(clone));
  return {};
}

Status Idmapper::map_view(View& view, std::vector<Fd>& fds) {
  if (!active()) return {};
  for (auto& m : view.mounts) CODEXOS_TRY(map_mount(m, 0, fds));
  return {};
}

Status Idmapper::map_job(Job& job, size_t before, std::vector<Fd>& fds) {
  if (!active()) return {};
  for (auto& m : job.mounts) CODEXOS_TRY(map_mount(m, before, fds));
  for (auto& o : job.overlays)
    if (!o.ready) CODEXOS_TRY(map_overlay(o, before, fds));
  return {};
}

Status Idmapper::map_overlay(Overlay& o, size_t before, std::vector<Fd>& fds) {
  if (!active()) return {};
  for (auto& lower : o.lowers) CODEXOS_TRY(map_dir(lower, before, fds));
  return map_dir(o.layer, before, fds);
}

}  // namespace codexos::daemon
