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

Result<Injection> injection_of_key(const GivenPlaceholder& given, const PlaceholderSources& from,
                                   const Vault& vault) {
  Injection i;
  i.secret = given.secret;
  i.placeholder = given.placeholder;
  i.whole_word = true;
  i.header = given.header;
  i.credential = given.subscription ? Credential::subscription : Credential::key;
  CODEXOS_ASSIGN(i.hosts, parse_net_rules(given.hosts));
  if (const auto at = from.keys.find(given.placeholder); at != from.keys.end()) {
    i.value = at->second.copy();
  } else {
    CODEXOS_ASSIGN(i.value, vault.open_for_task(from.task, given.secret, given.sealed));
  }
  return i;
}

Result<Injection> injection_of(const GivenPlaceholder& given, const PlaceholderSources& from,
                               const Vault& vault) {
  if (!given.hosts.empty()) return injection_of_key(given, from, vault);
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

/// The injections and exchanges of a shared login, added to those that there are.
Status add_login(LoginTokens login, const PlaceholderSources& from, std::vector<Injection>& all,
                 std::vector<TokenExchange>& exchanges) {
  std::map<std::string, uint32_t> at;
  for (LoginToken& t : login.tokens) {
    at[t.path] = static_cast<uint32_t>(all.size());
    Injection i;
    i.secret = from.login + " " + t.path;
    i.placeholder = t.placeholder;
    i.value = std::move(t.value);
    i.whole_word = true;
    i.header = t.use.header;
    i.credential = t.use.subscription.value_or(true) ? Credential::subscription : Credential::key;
    // A refresh token goes into no header.
    if (!t.use.hosts.empty())
      t.use.hosts.insert(t.use.hosts.end(), from.login_hosts.begin(), from.login_hosts.end());
    CODEXOS_ASSIGN(i.hosts, parse_net_rules(t.use.hosts));
    all.push_back(std::move(i));
  }
  for (const PresetRefresh& r : login.refresh) {
    TokenExchange e;
    CODEXOS_ASSIGN(e.hosts, parse_net_rules(r.hosts));
    e.path = r.path;
    e.sends = at[r.sends];
    for (const auto& [member, token] : r.gives) e.gives[member] = at[token];
    exchanges.push_back(std::move(e));
  }
  return {};
}

void leave_out(std::string& left_out, const std::string& name, const Error& e) {
  left_out += (left_out.empty() ? "" : "; ") + name + ": " + e.message;
}

}  // namespace

InjectionSetPtr make_injections(const PlaceholderSources& from, const Vault& vault,
                                std::string& left_out) {
  std::vector<Injection> all;
  for (const GivenPlaceholder& given : from.placeholders) {
    auto i = injection_of(given, from, vault);
    if (i.ok())
      all.push_back(*std::move(i));
    else
      leave_out(left_out, given.secret, i.error());
  }
  std::vector<TokenExchange> exchanges;
  InjectionSet::Keep keep;
  if (!from.login.empty()) {
    auto login = read_login_tokens(from.state_home, from.login);
    std::map<uint32_t, std::string> paths;
    if (login.ok())
      for (const LoginToken& t : login->tokens)
        paths[static_cast<uint32_t>(all.size() + paths.size())] = t.path;
    const Status s =
        login.ok() ? add_login(*std::move(login), from, all, exchanges) : Status(login.error());
    if (!s.ok()) leave_out(left_out, from.login, s.error());
    keep = [home = from.state_home, agent = from.login, paths](const InjectionSet::Fresh& fresh) {
      std::map<std::string, Secret> by_path;
      for (const auto& [index, token] : fresh) by_path.emplace(paths.at(index), token.copy());
      return keep_login_tokens(home, agent, by_path);
    };
  }
  if (all.empty()) return nullptr;
  return std::make_shared<const InjectionSet>(std::move(all), std::move(exchanges),
                                              std::move(keep));
}

void replace_tokens(const InjectionSet& set, const LoginTokens& tokens) {
  InjectionSet::Fresh fresh;
  for (uint32_t i = 0; i < set.all().size(); ++i)
    for (const LoginToken& t : tokens.tokens)
      if (set.all()[i].placeholder == t.placeholder) fresh.emplace(i, t.value.copy());
  set.replace(fresh);
}

bool needs_authority(const std::vector<std::string>& allow, const SecretParts& secrets) {
  if (!secrets.placeholders.empty() || !secrets.login.empty()) return true;
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
