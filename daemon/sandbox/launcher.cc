// SPDX-License-Identifier: Apache-2.0
#include "daemon/sandbox/launcher.h"

#include <unistd.h>

#include "daemon/sandbox/sandbox.h"

namespace codexos::daemon {

Result<std::unique_ptr<Helper>> Launcher::launch(const View& view, Job job,
                                                 const std::vector<Fd>& fds, Choice choice,
                                                 const std::string& ahead) {
  const bool own_units = needs_own_units(view, job);
  CODEXOS_ASSIGN(auto helper, choice == Choice::fresh ? helpers_.start(view, own_units)
                                                      : helpers_.take(view, own_units, ahead));
  if (!ahead.empty() && helper->ahead == ahead) job.overlays.front().ready = true;
  std::vector<Fd> mapped;  // follow the caller's
  CODEXOS_TRY(idmapper_.map_job(job, fds.size(), mapped));
  std::vector<int> numbers;
  for (const auto* list : {&fds, static_cast<const std::vector<Fd>*>(&mapped)})
    for (const auto& fd : *list) numbers.push_back(fd.get());
  helper->link->send(LinkType::job, job, numbers);
  wake_by(helper->wake);
  helper->wake.reset();
  return helper;
}

Result<std::unique_ptr<Helper>> Launcher::launch_alone(LandlockPlan plan, Job job,
                                                       const std::vector<Fd>& fds) {
  CODEXOS_ASSIGN(auto helper, helpers_.start_alone());
  plan.job = std::move(job);
  std::vector<int> numbers;
  for (const auto& fd : fds) numbers.push_back(fd.get());
  helper->link->send(LinkType::job, plan, numbers);
  return helper;
}

Status Launcher::mount_ahead(Helper& h, Overlay overlay, std::string ahead,
                             std::shared_ptr<void> hold) {
  std::vector<Fd> mapped;
  CODEXOS_TRY(idmapper_.map_overlay(overlay, 0, mapped));
  std::vector<int> numbers;
  for (const auto& fd : mapped) numbers.push_back(fd.get());
  h.ahead_wanted = std::move(ahead);
  h.ahead_hold = std::move(hold);
  h.link->send(LinkType::overlay, overlay, numbers);
  wake_by(h.wake);
  return {};
}

std::shared_ptr<void> Launcher::ready_for(const View& view, const Job& job,
                                          const std::string& ahead) {
  if (ahead.empty() || needs_own_units(view, job)) return nullptr;
  const Helper* h = helpers_.with_ahead(view.key, ahead);
  return h == nullptr ? nullptr : h->ahead_hold;
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
