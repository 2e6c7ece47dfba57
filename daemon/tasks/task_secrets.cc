// SPDX-License-Identifier: Apache-2.0
#include "daemon/tasks/task_secrets.h"

#include <fcntl.h>

#include <algorithm>

#include "core/base/fields.h"
#include "core/json/json.h"
#include "core/os/file.h"
#include "core/policy/net_rules.h"
#include "daemon/tasks/vault.h"

namespace codexos::daemon {
namespace {

/// tasks/<id>/authority.json, of mode 0600.
struct StoredAuthority {
  std::string certificate;
  std::string key;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("certificate", s.certificate);
    v("key", s.key);
  }
};

Result<Injection> injection_of(const GivenPlaceholder& given, const Vault& vault) {
  CODEXOS_ASSIGN(OpenSecret secret, vault.reveal(given.secret));
  Injection i;
  i.secret = given.secret;
  i.placeholder = given.placeholder;
  i.value = std::move(secret.value);
  CODEXOS_ASSIGN(i.hosts, parse_net_rules(secret.what.binding.hosts));
  i.header = secret.what.binding.header;
  i.methods = secret.what.binding.methods;
  i.path_prefix = secret.what.binding.path_prefix;
  return i;
}

}  // namespace

InjectionSetPtr make_injections(const std::vector<GivenPlaceholder>& placeholders,
                                const Vault& vault, std::string& left_out) {
  std::vector<Injection> all;
  for (const GivenPlaceholder& given : placeholders) {
    auto i = injection_of(given, vault);
    if (i.ok())
      all.push_back(*std::move(i));
    else
      left_out += (left_out.empty() ? "" : "; ") + given.secret + ": " + i.error().message;
  }
  return all.empty() ? nullptr : std::make_shared<const InjectionSet>(std::move(all));
}

bool needs_authority(const std::vector<std::string>& allow, const SecretParts& secrets) {
  if (!secrets.placeholders.empty()) return true;
  const auto rules = parse_net_rules(allow);
  return rules.ok() &&
         std::any_of(rules->begin(), rules->end(), [](const NetRule& r) { return r.terminate; });
}

Status save_authority(const TaskCa& ca, const std::string& path) {
  CODEXOS_ASSIGN(const TaskCaPem pem, ca.to_pem());
  StoredAuthority stored{pem.certificate, std::string(pem.key.view())};
  std::string text = json::encode(stored);
  // Not synced: a task that outlives a loss of power has lost its sandbox with it.
  const auto fd = open_file(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  Status s = fd.ok() ? write_all(fd->get(), text) : Status(fd.error());
  wipe(text);
  wipe(stored.key);
  return s;
}

Result<TaskCaPtr> load_authority(const std::string& path) {
  auto text = read_file(path);
  if (!text.ok() && text.error().code == Code::not_found) return TaskCaPtr();
  if (!text.ok()) return std::move(text).error();
  auto stored = json::decode<StoredAuthority>(*text, json::Unknown::refuse);
  wipe(*text);
  if (!stored.ok()) return std::move(stored).error();
  const TaskCaPem pem{stored->certificate, Secret(stored->key)};
  wipe(stored->key);
  CODEXOS_ASSIGN(TaskCa ca, TaskCa::from_pem(pem));
  return std::make_shared<const TaskCa>(std::move(ca));
}

Result<std::vector<std::string>> value_env(const std::vector<wire::SecretUse>& uses,
                                           const Vault& vault) {
  std::vector<std::string> out;
  for (const wire::SecretUse& use : uses) {
    if (use.form != wire::SecretForm::value) continue;
    CODEXOS_ASSIGN(const OpenSecret secret, vault.reveal(use.name));
    out.push_back(use.target + "=" + std::string(secret.value.view()));
  }
  return out;
}

}  // namespace codexos::daemon
