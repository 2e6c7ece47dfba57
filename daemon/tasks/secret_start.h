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
#include "core/base/secret.h"
#include "core/wire/secret.h"
#include "core/wire/task.h"
#include "daemon/agents/preset.h"
#include "daemon/tasks/git_logins.h"
#include "daemon/trust/task_ca.h"

namespace codexos::daemon {

class Vault;

struct GivenPlaceholder {
  std::string secret;  // its name in the vault, or the variable of a key that the caller gave
  std::string placeholder;
  // Of a caller's key only, which is in no vault:
  std::string sealed;              // hexadecimal (vault.h), for this task alone
  std::vector<std::string> hosts;  // rules
  std::string header;
  bool subscription = false;  // no request costs
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("secret", s.secret);
    v("placeholder", s.placeholder);
    v("sealed", s.sealed);
    v("hosts", s.hosts);
    v("header", s.header);
    v("subscription", s.subscription);
  }
};

struct SecretParts {
  std::vector<wire::SecretUse> uses;  // with their targets
  std::vector<GivenPlaceholder> placeholders;
  std::map<std::string, std::string> env;  // of placeholders: no secrets
  std::vector<std::string> hosts;          // that the task has to reach
  std::vector<GitLogin> git_logins;
  std::vector<Mount> files;
  std::vector<std::string> value_env;  // K=V: of the task's processes, never of its record
  std::map<std::string, Secret> keys;  // by placeholder: those of the caller, not sealed yet
  std::string login;                   // the agent whose shared login has placeholders; or empty
  std::vector<std::string> values;     // of files and of value_env
  std::shared_ptr<const TaskCa> ca;    // what the egress shows it; null: no TLS is ended
};

/// Where files are inside, unless the caller says otherwise.
inline constexpr const char* kSecretsInside = "/run/codexos/secrets";

/// `vault` null: there is none. Error invalid: two for one variable, no host to put it to;
/// not_found: no such secret; denied: the vault is locked or broken.
Result<SecretParts> give_secrets(const wire::TaskCreate& create, const Vault* vault);

/// In key_for: a key is given as it is.
inline constexpr const char* kAnyHost = "any";

/// Takes an agent's keys out of what the caller gave as variables, and gives placeholders instead,
/// which work at their provider's, at key_for, and where a variable with a URL says that it is.
/// Where that is no TLS, or key_for says any, the key stays as it is, and `notes` says so.
void hold_keys(const Preset& preset, wire::TaskCreate& create, SecretParts& parts,
               std::vector<std::string>& notes);

/// Whether what is put at this path inside comes to lie where the host keeps files.
bool is_on_the_disk(const std::string& path, const Job& job);
/// That no file of a secret comes to lie where the host keeps files: in what `job` shows of it.
Status keep_off_the_disk(const std::vector<wire::SecretUse>& uses, const Job& job);

}  // namespace codexos::daemon
