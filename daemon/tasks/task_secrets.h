// SPDX-License-Identifier: Apache-2.0
// What the egress has to know of one task's secrets: which placeholder stands for which value, and
// the authority that it shows where it ends TLS. The placeholders are in the task's record, the
// authority in its folder, the values only in the vault: a daemon that takes over a running task
// puts the three together again.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "daemon/egress/injection.h"
#include "daemon/tasks/secret_start.h"
#include "daemon/trust/task_ca.h"

namespace codexos::daemon {

using TaskCaPtr = std::shared_ptr<const TaskCa>;

struct NetSecrets {
  InjectionSetPtr injections;  // null: none
  TaskCaPtr ca;                // null: no TLS is ended
};

/// As the vault has them now. A secret that it does not give (locked, forgotten) is left out, and
/// `left_out` names it: its placeholder goes on as it is.
InjectionSetPtr make_injections(const std::vector<GivenPlaceholder>& placeholders,
                                const Vault& vault, std::string& left_out);

/// Whether any of these rules, or a placeholder, needs an authority.
bool needs_authority(const std::vector<std::string>& allow, const SecretParts& secrets);
Status save_authority(const TaskCa& ca, const std::string& path);
/// Null: the task has none. Error invalid: the file is damaged.
Result<TaskCaPtr> load_authority(const std::string& path);

/// K=V of those that are given as values, for a further process of the task.
Result<std::vector<std::string>> value_env(const std::vector<wire::SecretUse>& uses,
                                           const Vault& vault);

}  // namespace codexos::daemon
