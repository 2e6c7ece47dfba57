// SPDX-License-Identifier: Apache-2.0
// The environment of a task: a short list passed on, a few set, all else by -e. What names sockets,
// displays, agents or credentials is never passed on by itself.
#include "core/base/path.h"
#include "daemon/sandbox/view_parts.h"

namespace codexos::daemon {
namespace {

struct PassRow {
  std::string_view name;  // a name, or a prefix and '*'
  const char* why;
};
constexpr PassRow kPassed[] = {
    {"LANG", "language of messages"},     {"LANGUAGE", "language of messages"},
    {"LC_*", "language and formats"},     {"TZ", "time zone"},
    {"TERM", "the terminal's abilities"}, {"COLORTERM", "the terminal's abilities"},
    {"NO_COLOR", "wishes about colour"},  {"CI", "programs ask fewer questions"},
};

bool passed(std::string_view name) {
  for (const auto& row : kPassed)
    if (name_fits(row.name, name)) return true;
  return false;
}

Mount workspace_bind(const std::string& path) {
  Mount m;
  m.kind = MountKind::bind;
  m.role = MountRole::workspace;
  m.source = m.target = path;
  return m;
}

}  // namespace

bool is_passed_on(std::string_view name) {
  for (const std::string_view own :
       {"PATH", "SHELL", "HOME", "USER", "LOGNAME", "PWD", "CODEXOS_TASK"})
    if (name == own) return true;
  return passed(name);
}

std::vector<std::string> make_env(const ViewRequest& r, const View& view,
                                  const std::vector<Mount>& job_mounts,
                                  const std::map<std::string, std::string>& set,
                                  const std::string& task_id, const std::string& cwd,
                                  const Host& host) {
  std::map<std::string, std::string> env;
  for (const auto& [name, value] : r.caller.env)
    if (passed(name)) env[name] = value;

  // The overlay over the workspace is no mount of the list; what is in it is on PATH all the same.
  std::vector<Mount> workspace;
  if (!r.workspace.empty()) workspace.push_back(workspace_bind(r.workspace));
  const MountLists mounts{&view.mounts, &job_mounts, &workspace};
  const auto path = r.caller.env.find("PATH");
  env["PATH"] = path_inside(path == r.caller.env.end() ? "" : path->second, mounts, host);

  const auto shell = r.caller.env.find("SHELL");
  PathFact fact;
  const bool have_shell = shell != r.caller.env.end() &&
                          host_path_of(shell->second, mounts, host, fact) && !fact.is_dir;
  env["SHELL"] = have_shell ? shell->second : inside_of(r.caller, host).shell;
  env["HOME"] = inside_home(r.caller);
  env["USER"] = env["LOGNAME"] = inside_user(r.caller);
  env["PWD"] = cwd;
  env["CODEXOS_TASK"] = task_id;
  for (const auto& [name, value] : set) env[name] = value;  // asked for by name: wins

  std::vector<std::string> out;
  out.reserve(env.size());
  for (const auto& [name, value] : env) out.push_back(name + "=" + value);
  return out;
}

}  // namespace codexos::daemon
