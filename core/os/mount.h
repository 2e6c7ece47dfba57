// SPDX-License-Identifier: Apache-2.0
// Mounts by descriptor: open_tree(2), move_mount(2), mount_setattr(2), fsopen(2), pivot_root(2), by
// raw syscall since glibc 2.35 lacks some wrappers. Nothing here resolves a path of the new root by
// name.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/base/fd.h"

namespace codexos {

enum class Recurse { no, yes };

struct MountFlags {
  bool read_only = false;
  bool nosuid = true;
  bool nodev = true;
  bool noexec = false;
  int userns_fd =
      -1;  // MOUNT_ATTR_IDMAP with this user namespace; EINVAL where the file system cannot
};
/// A detached copy of the mount at `path` (OPEN_TREE_CLONE). In a user namespace a non-recursive
/// copy of a tree with mounts below is EINVAL.
Result<Fd> clone_tree(const std::string& path, Recurse recurse);

/// The same with `with` set on all of the copy: open_tree_attr(2), or by mount_setattr(2).
Result<Fd> clone_tree(const std::string& path, Recurse recurse, const MountFlags& with);
/// Of what lies at `path` (relative) below `root`, following no link at its end.
Result<Fd> clone_tree_below(int root, const std::string& path, Recurse recurse,
                            const MountFlags& with);
/// mount_setattr(2) on a (detached) mount.
Status set_mount(int fd, const MountFlags& flags, Recurse recurse);

/// A new detached mount of `type` with options (key, value); empty value: a flag.
Result<Fd> new_mount(const char* type,
                     const std::vector<std::pair<std::string, std::string>>& options,
                     const MountFlags& flags);

/// A new detached overlay (userxattr, nosuid, nodev) from descriptors of folders, topmost lower
/// first. Needs Linux 6.13 (folders by descriptor): error EINVAL before.
Result<Fd> new_overlay(const std::vector<int>& lowers, int upper, int work);

/// Puts the detached mount on the directory or file `at` (O_PATH descriptor).
Status attach_mount(int mount_fd, int at);

/// Puts it on what is at `path`, relative to `root` even with a leading slash. A link at its end is
/// not followed, others are: only where nobody else can have put one. Error with errno ENOENT: no
/// place.
Status attach_mount_below(int mount_fd, int root, const std::string& path);

/// Opens `path` (relative, or absolute meaning relative to `root`) below `root` without following
/// any link, making missing directories with mode 0755.
Result<Fd> make_dirs_below(int root, const std::string& path);
/// Opens what is there (O_PATH), following no link. Error: as openat2(2) or openat(2) say.
Result<Fd> open_below(int root, const std::string& path);

/// Makes `new_root` (a mount point) the root and detaches the old one (pivot_root(2), "." "."
/// form).
Status enter_root(int new_root);

/// Maps (owner uid, gid) on disk to (host uid, gid): a user namespace descriptor for idmapped
/// mounts. Forks: only for small programs. Needs CAP_SETUID and CAP_SETGID.
Result<Fd> make_idmap_userns(uid_t owner_uid, gid_t owner_gid, uid_t host_uid, gid_t host_gid);

}  // namespace codexos
