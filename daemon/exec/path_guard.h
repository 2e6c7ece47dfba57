// SPDX-License-Identifier: Apache-2.0
// Landlock leaves modes and times of files open (landlock(7), "Current limitations"), and a filter
// cannot see which file a call means. So these calls are asked about (seccomp_unotify(2)), and done
// by the keeper for its task: it opens the object, looks where it lies, and changes exactly what it
// opened, in the folders that the task may write to and nowhere else. The caller's path is read
// once.
#pragma once

#include <linux/seccomp.h>
#include <sys/types.h>

#include <string>
#include <vector>

#include "core/base/fd.h"

namespace codexos::exec {

/// Whether `path` is one of `folders` or lies below one. All absolute, without links.
bool lies_below(const std::string& path, const std::vector<std::string>& folders);

/// The path as the guard's own process can open it: what is the caller's own in /proc is spelt with
/// its number, what is relative starts where the caller stands. `dirfd`: AT_FDCWD or the caller's.
std::string path_for_guard(pid_t tid, int dirfd, const std::string& path);

class PathGuard {
 public:
  /// `listener`: of a filter with the calls chmod, fchmod, fchmodat, fchmodat2 and utimensat.
  PathGuard(Fd listener, std::vector<std::string> folders)
      : listener_(std::move(listener)), folders_(std::move(folders)) {}
  int fd() const { return listener_.get(); }
  /// Answers one call, if one waits. Nobody can call any more: the descriptor is closed (fd() -1).
  void serve();

 private:
  void handle(const seccomp_notif& n);
  int change_mode(const seccomp_notif& n);
  int change_times(const seccomp_notif& n);
  struct Target;
  int open_target(const seccomp_notif& n, const Target& t, Fd& out) const;

  Fd listener_;
  std::vector<std::string> folders_;
};

}  // namespace codexos::exec
