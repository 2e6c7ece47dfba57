// SPDX-License-Identifier: Apache-2.0
#include "daemon/tasks/plan_command.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/base/binary.h"
#include "core/base/id.h"
#include "core/os/file.h"
#include "daemon/tasks/planner.h"
#include "daemon/tasks/task_files.h"
#include "daemon/workspace/copy.h"

namespace codexos::daemon {
namespace {

// The names that the CLI passes on, and what the view needs to know of the caller.
constexpr const char* kCallerEnv[] = {"PATH", "HOME",      "USER", "LOGNAME", "SHELL",   "LANG",
                                      "TERM", "COLORTERM", "TZ",   "CI",      "NO_COLOR"};

wire::TaskCreate request_here(const std::vector<std::string>& argv, const std::string& cwd) {
  wire::TaskCreate c;
  c.argv = argv;
  c.cwd = cwd;
  for (const char* name : kCallerEnv)
    if (const char* value = getenv(name)) c.caller_env[name] = value;
  c.umask = umask(077);
  umask(static_cast<mode_t>(c.umask));
  return c;
}

}  // namespace

Status write_plan(const std::string& home, const std::vector<std::string>& argv) {
  char cwd[4096];
  if (getcwd(cwd, sizeof cwd) == nullptr) return errno_error("current folder", errno);
  CODEXOS_ASSIGN(MountTable mounts, MountTable::open());
  PlannerOptions options;
  options.home = home;
  if (geteuid() == 0) options.task_host_uid = options.task_host_gid = kRootTaskHostId;
  HostCache host(real_host(), mounts);
  Planner planner(options, host, mounts, nullptr);
  const std::string id = make_task_id();
  const TaskPaths paths(home, "default", id);
  CODEXOS_TRY(make_dirs(home + "/tenants/default/tasks", 0700));
  wire::TaskCreate create = request_here(argv, cwd);
  CODEXOS_ASSIGN(Start start, planner.plan(create, geteuid(), getegid(), id, paths.layers()));
  if (start.landlock)
    return Error{Code::unsupported, "a plan by hand is for a task with namespaces",
                 "CODEXOS_ISOLATION=full"};
  CODEXOS_TRY(create_task_files(paths, "", start.workspace.roots));
  for (const auto& root : start.workspace.roots)
    if (root.copied) CODEXOS_TRY(make_copy(root, {}));
  Plan plan;
  plan.view = *start.view;
  plan.job = start.job;
  return write_all(STDOUT_FILENO, to_binary(plan));
}

}  // namespace codexos::daemon
