// SPDX-License-Identifier: Apache-2.0
// A root daemon's tasks never have host uid 0: they run as an unprivileged host uid, and everything
// of the workspace's owner that they are shown is an idmapped clone (mount_setattr(2),
// MOUNT_ATTR_IDMAP) that maps the owner to that uid. The clones are detached mounts, made here and
// passed with the plan; a detached mount can be attached once, so every helper gets its own.
//
// Constant mounts (system folders, /etc, /dev) need no mapping: the helper binds them by path.
// Where idmapped mounts are not possible (the source lies on overlayfs, kernels before 5.19) the
// task is refused by the name of the file system.
#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/base/fd.h"
#include "core/base/plan.h"

namespace codexos::daemon {

class Idmapper {
 public:
  /// `exec_path`: codexos-exec, which makes the user namespaces (a fork, so not here). With
  /// `host_uid` 0 nothing is mapped: the daemon of an ordinary user.
  Idmapper(std::string exec_path, uint32_t host_uid, uint32_t host_gid)
      : exec_(std::move(exec_path)), uid_(host_uid), gid_(host_gid) {}

  bool active() const { return uid_ != 0; }
  /// Replaces sources by descriptors (appended to `fds`, named by index) where they must be mapped.
  /// `before`: how many others of the message come before `fds`.
  Status map_view(View& view, std::vector<Fd>& fds);
  Status map_job(Job& job, size_t before, std::vector<Fd>& fds);
  Status map_overlay(Overlay& o, size_t before, std::vector<Fd>& fds);

 private:
  Status map_mount(Mount& m, size_t before, std::vector<Fd>& fds);
  Status map_dir(DirRef& dir, size_t before, std::vector<Fd>& fds);
  Result<Fd> mapped_clone(const std::string& path, bool recursive);
  /// The user namespace for mounts whose root belongs to (uid, gid); kept for the daemon's life.
  Result<int> userns_for(uid_t uid, gid_t gid);

  std::string exec_;
  uint32_t uid_;
  uint32_t gid_;
  std::map<std::pair<uid_t, gid_t>, Fd> namespaces_;
};

/// The name of a file system by its statfs(2) magic number, for messages.
std::string filesystem_name(int64_t magic);

}  // namespace codexos::daemon
