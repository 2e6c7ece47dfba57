// SPDX-License-Identifier: Apache-2.0
// What the egress has to know of one task's secrets: which placeholder stands for which value, and
// the authority that it shows where it ends TLS. The placeholders are in the task's record, the
// authority in its folder, the values only in the vault: a daemon that takes over a running task
// puts the three together again.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "daemon/agents/login.h"
#include "daemon/egress/injection.h"
#include "daemon/tasks/secret_start.h"
#include "daemon/trust/task_ca.h"

namespace codexos::daemon {

using TaskCaPtr = std::shared_ptr<const TaskCa>;

struct NetSecrets {
  InjectionSetPtr injections;  // null: none
  TaskCaPtr ca;                // null: no TLS is ended
};

/// Where the values of a task's placeholders are.
struct PlaceholderSources {
  std::string task;
  const std::vector<GivenPlaceholder>& placeholders;
  const std::map<std::string, Secret>& keys;  // by placeholder: callers' keys, in memory
  std::string login;                          // the agent whose shared login it has; empty: none
  std::vector<std::string> login_hosts;       // that its tokens go to beside their own
  std::string state_home;
};
/// As the vault and the login have them now. What they do not give (locked, forgotten) is left out,
/// and `left_out` names it: its placeholder goes on as it is. Null: none.
InjectionSetPtr make_injections(const PlaceholderSources& from, const Vault& vault,
                                std::string& left_out);
/// The tokens of a login as they are now, for connections that there are.
void replace_tokens(const InjectionSet& set, const LoginTokens& tokens);

/// Whether any of these rules, or a placeholder, needs an authority.
bool needs_authority(const std::vector<std::string>& allow, const SecretParts& secrets);
Status save_authority(const TaskCa& ca, const std::string& path);
/// Null: the task has none. Error invalid: the file is damaged.
Result<TaskCaPtr> load_authority(const std::string& path);

/// K=V of those that are given as values, for a further process of the task.
Result<std::vector<std::string>> value_env(const std::vector<wire::SecretUse>& uses,
                                           const Vault& vault);

}  // namespace codexos::daemon
