// SPDX-License-Identifier: Apache-2.0
#include "daemon/tasks/landlock_start.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "core/base/path.h"
#include "core/os/file.h"

namespace codexos::daemon {
namespace {

Status give(const std::string& path, const LandlockPlan& plan) {
  if (plan.uid == 0 || lchown(path.c_str(), plan.uid, plan.gid) == 0) return {};
  return errno_error("chown " + path, errno);
}

Status make_own_dir(const std::string& path, const LandlockPlan& plan) {
  if (mkdir(path.c_str(), 0700) < 0) return errno_error("mkdir " + path, errno);
  return give(path, plan);
}

/// `path` is relative to `home`, which nobody else works in yet.
Status make_parents(const std::string& home, const std::string& path, const LandlockPlan& plan) {
  for (size_t slash = path.find('/'); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    const std::string dir = home + "/" + path.substr(0, slash);
    if (access(dir.c_str(), F_OK) == 0) continue;
    CODEXOS_TRY(make_own_dir(dir, plan));
  }
  return {};
}

Status put_in_home(const std::string& home, const Mount& m, const LandlockPlan& plan) {
  CODEXOS_TRY(make_parents(home, m.target, plan));
  const std::string path = home + "/" + m.target;
  if (m.kind == MountKind::symlink) {
    if (symlink(m.source.c_str(), path.c_str()) < 0 && errno != EEXIST)
      return errno_error("symlink " + path, errno);
    return give(path, plan);
  }
  CODEXOS_ASSIGN(const Fd fd, open_file(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  CODEXOS_TRY(write_all(fd.get(), m.content));
  return give(path, plan);
}

/// For the task's group only, and not to be listed.
Status let_pass(const std::string& dir, const LandlockPlan& plan) {
  if (chown(dir.c_str(), static_cast<uid_t>(-1), plan.gid) < 0 || chmod(dir.c_str(), 0710) < 0)
    return errno_error("open " + dir + " for the task's group", errno);
  return {};
}

}  // namespace

Status make_places(const TaskPaths& paths, const LandlockStart& start,
                   const std::vector<Root>& roots, const std::string& state_home) {
  const LandlockPlan& plan = start.plan;
  const std::string dir = private_dir(paths);
  if (mkdir(dir.c_str(), 0700) < 0) return errno_error("mkdir " + dir, errno);
  for (const char* part : {"/home", "/tmp"}) CODEXOS_TRY(make_own_dir(dir + part, plan));
  for (const auto& entry : start.home) CODEXOS_TRY(put_in_home(dir + "/home", entry, plan));
  if (plan.uid == 0) return {};
  CODEXOS_TRY(let_pass(dir, plan));
  for (const auto& root : roots)
    if (root.copied) CODEXOS_TRY(let_pass(root.layer, plan));
  if (!roots.empty() && roots[0].copied) CODEXOS_TRY(let_pass(paths.layers(), plan));
  for (std::string up = paths.dir; path_within(up, state_home); up = parent_path(up))
    CODEXOS_TRY(let_pass(up, plan));
  return {};
}

}  // namespace codexos::daemon
