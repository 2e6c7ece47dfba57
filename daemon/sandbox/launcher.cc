// SPDX-License-Identifier: Apache-2.0
#include "daemon/sandbox/launcher.h"

#include <unistd.h>

#include "core/base/path.h"

namespace codexos::daemon {

namespace {

/// Whether the task puts something into a part of the view that is shared, being read-only.
bool needs_own_units(const View& view, const Job& job) {
  for (const auto& unit : view.mounts) {
    if (!is_unit(unit)) continue;
    for (const auto& m : job.mounts)
      if (path_within(m.target, unit.target)) return true;
  }
  return false;
}

}  // namespace

Result<std::unique_ptr<Helper>> Launcher::launch(const View& view, Job job,
                                                 const std::vector<Fd>& fds, Choice choice) {
  std::vector<Fd> mapped;  // follow the caller's
  CODEXOS_TRY(idmapper_.map_job(job, fds.size(), mapped));
  const bool own_units = needs_own_units(view, job);
  CODEXOS_ASSIGN(auto helper, choice == Choice::fresh ? helpers_.start(view, own_units)
                                                      : helpers_.take(view, own_units));
  std::vector<int> numbers;
  for (const auto* list : {&fds, static_cast<const std::vector<Fd>*>(&mapped)})
    for (const auto& fd : *list) numbers.push_back(fd.get());
  helper->link->send(LinkType::job, job, numbers);
  const uint64_t one = 1;
  (void)!write(helper->wake.get(), &one, sizeof one);
  helper->wake.reset();
  return helper;
}

Result<std::string> find_exec(const std::string& daemon_path, const char* codexos_exec_env) {
  if (codexos_exec_env != nullptr && *codexos_exec_env != '\0')
    return std::string(codexos_exec_env);
  const std::string dir = daemon_path.substr(0, daemon_path.rfind('/'));
  for (const char* tail : {"/../libexec/codexos/codexos-exec", "/codexos-exec"})
    if (const std::string path = dir + tail; access(path.c_str(), X_OK) == 0) return path;
  return Error{Code::not_found,
               "codexos-exec is neither in " + dir + "/../libexec/codexos nor in " + dir,
               "install it there, or set CODEXOS_EXEC"};
}

}  // namespace codexos::daemon
