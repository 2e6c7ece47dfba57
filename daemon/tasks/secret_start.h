// SPDX-License-Identifier: Apache-2.0
// What a start with --secret gets of the vault: placeholders in variables, files, and, where it was
// asked for in so many words, values in variables. Placeholders are random for each task; only the
// egress knows what they stand for.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/plan.h"
#include "core/wire/secret.h"
#include "core/wire/task.h"
#include "daemon/trust/task_ca.h"

namespace codexos::daemon {

class Vault;

struct GivenPlaceholder {
  std::string secret;
  std::string placeholder;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("secret", s.secret);
    v("placeholder", s.placeholder);
  }
};

struct SecretParts {
  std::vector<wire::SecretUse> uses;  // with their targets
  std::vector<GivenPlaceholder> placeholders;
  std::map<std::string, std::string> env;  // of placeholders: no secrets
  std::vector<std::string> hosts;          // that the task has to reach
  std::vector<Mount> files;
  std::vector<std::string> value_env;  // K=V: of the task's processes, never of its record
  std::shared_ptr<const TaskCa> ca;    // what the egress shows it; null: no TLS is ended
};

/// Where files are inside, unless the caller says otherwise.
inline constexpr const char* kSecretsInside = "/run/codexos/secrets";

/// `vault` null: there is none. Error invalid: two for one variable, no host to put it to;
/// not_found: no such secret; denied: the vault is locked or broken.
Result<SecretParts> give_secrets(const wire::TaskCreate& create, const Vault* vault);

/// That no file of a secret comes to lie where the host keeps files: in what `job` shows of it.
Status keep_off_the_disk(const std::vector<wire::SecretUse>& uses, const Job& job);

}  // namespace codexos::daemon
