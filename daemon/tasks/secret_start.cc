// SPDX-License-Identifier: Apache-2.0
#include "daemon/tasks/secret_start.h"

#include <algorithm>
#include <set>

#include "core/base/egress_net.h"
#include "core/base/path.h"
#include "core/base/placeholder.h"
#include "core/base/redactor.h"
#include "core/policy/net_rules.h"
#include "daemon/tasks/vault.h"

namespace codexos::daemon {
namespace {

constexpr uint32_t kOnlyReadable = 0400;

/// The secret's own variable, or its name as one: "gh-token" -> GH_TOKEN.
std::string variable_of(const wire::Secret& s) {
  if (!s.binding.env.empty()) return s.binding.env;
  std::string out;
  for (const char c : s.name) {
    const bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (!letter)
      out += '_';
    else
      out += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  }
  return out;
}

/// Where the caller says that the provider is: added to `hosts`. Text: it cannot be bound to there.
std::string add_own_endpoints(const std::map<std::string, std::string>& env,
                              std::vector<std::string>& hosts) {
  constexpr std::string_view kTls = "https://";
  for (const auto& [name, value] : env) {
    const bool url = name.find("_BASE") != std::string::npos ||
                     name.find("_ENDPOINT") != std::string::npos || name == "OPENAI_API_HOST";
    // The gateway of ours needs no key of theirs.
    const bool ours = value.find(std::string("://").append(kModelsHost)) != std::string::npos;
    if (!url || ours || value.find("://") == std::string::npos) continue;
    if (value.substr(0, kTls.size()) != kTls) return name + " leads to a place without TLS";
    const size_t end = value.find_first_of("/?#", kTls.size());
    const std::string host = value.substr(kTls.size(), end - kTls.size());
    const auto rule = parse_net_rules({host});
    if (!rule.ok() || rule->front().kind == NetRule::Kind::network)
      return name + " leads to a place without a name";
    hosts.push_back(host);
  }
  return {};
}

class Giver {
 public:
  Giver(const wire::TaskCreate& create, const Vault& vault) : create_(create), vault_(vault) {}

  Result<SecretParts> run() {
    for (const wire::SecretUse& use : create_.secrets) {
      auto s = give(use);
      if (!s.ok()) return std::move(s).error().during("secret " + use.name);
    }
    return std::move(out_);
  }

 private:
  Status give(wire::SecretUse use) {
    CODEXOS_ASSIGN(const OpenSecret secret, vault_.reveal(use.name));
    switch (use.form) {
      case wire::SecretForm::placeholder:
        CODEXOS_TRY(give_placeholder(secret, use));
        break;
      case wire::SecretForm::file:
        CODEXOS_TRY(give_file(secret, use));
        break;
      case wire::SecretForm::value:
        CODEXOS_TRY(take_variable(secret, use));
        out_.value_env.push_back(use.target + "=" + std::string(secret.value.view()));
        break;
    }
    if (use.form != wire::SecretForm::placeholder) out_.values.emplace_back(secret.value.view());
    out_.uses.push_back(std::move(use));
    return {};
  }

  Status take_variable(const OpenSecret& secret, wire::SecretUse& use) {
    if (use.target.empty()) use.target = variable_of(secret.what);
    if (create_.env.count(use.target) != 0 || !variables_.insert(use.target).second)
      return Error{Code::invalid, "the variable " + use.target + " is given twice",
                   "--secret " + use.name + "=OTHER_NAME"};
    return {};
  }

  Status give_placeholder(const OpenSecret& secret, wire::SecretUse& use) {
    const auto& binding = secret.what.binding;
    if (binding.hosts.empty())
      return Error{Code::invalid, "it is bound to no host, so a placeholder would stay one",
                   "codexos secret set " + use.name + " --host HOST, or --secret-file " + use.name};
    if (create_.net == wire::Network::host)
      return Error{Code::invalid, "with --net host nothing passes the egress, which puts it in",
                   "without --net host, or --secret-file " + use.name};
    CODEXOS_TRY(take_variable(secret, use));
    const std::string placeholder = make_placeholder();
    out_.env[use.target] = placeholder;
    out_.placeholders.push_back({use.name, placeholder, {}, {}, {}});
    if (is_for_git(binding)) out_.git_logins.push_back({placeholder, binding});
    out_.hosts.insert(out_.hosts.end(), binding.hosts.begin(), binding.hosts.end());
    return {};
  }

  Status give_file(const OpenSecret& secret, wire::SecretUse& use) {
    if (use.target.empty()) use.target = std::string(kSecretsInside) + "/" + use.name;
    if (use.target[0] != '/' || use.target == "/" || normal_path(use.target) != use.target)
      return Error{
          Code::invalid, "the file's path must be absolute, without . and ..: " + use.target, {}};
    if (!files_.insert(use.target).second)
      return Error{Code::invalid, "the file " + use.target + " is given twice",
                   "--secret-file " + use.name + "=/other/path"};
    Mount m;
    m.kind = MountKind::file;
    m.role = MountRole::shown;
    m.target = use.target;
    m.mode = kOnlyReadable;
    m.content = secret.value.view();
    out_.files.push_back(std::move(m));
    return {};
  }

  const wire::TaskCreate& create_;
  const Vault& vault_;
  SecretParts out_;
  std::set<std::string> variables_, files_;
};

}  // namespace

Result<SecretParts> give_secrets(const wire::TaskCreate& create, const Vault* vault) {
  if (create.secrets.empty()) return SecretParts{};
  if (vault == nullptr) return Error{Code::unavailable, "there is no vault here", {}};
  return Giver(create, *vault).run();
}

void hold_keys(const Preset& preset, wire::TaskCreate& create, SecretParts& parts,
               std::vector<std::string>& notes) {
  for (const auto& [name, use] : preset.held) {
    const auto at = create.env.find(name);
    if (at == create.env.end() || at->second.size() < kMinRedacted) continue;
    GivenPlaceholder given{name,      make_placeholder(), {},
                           use.hosts, use.header,         use.subscription.value_or(false)};
    const auto& more = create.key_for;
    given.hosts.insert(given.hosts.end(), more.begin(), more.end());
    const bool any = std::find(more.begin(), more.end(), kAnyHost) != more.end();
    const std::string why = any ? "--key-for any"
                            : create.net != wire::Network::allow
                                ? "the task has no network by name"
                                : add_own_endpoints(create.env, given.hosts);
    if (!why.empty()) {
      notes.push_back(name + " is given as it is, not as a placeholder: " + why);
      continue;
    }
    parts.env[name] = shaped_placeholder(at->second, given.placeholder);
    parts.keys.emplace(given.placeholder, Secret(at->second));
    parts.placeholders.push_back(std::move(given));
    wipe(at->second);
    create.env.erase(at);
  }
}

bool is_on_the_disk(const std::string& path, const Job& job) {
  const auto is_shown = [&path](const Mount& m) {
    return m.kind == MountKind::bind && path_within(path, m.target);
  };
  const auto is_held = [&path](const Overlay& o) { return path_within(path, o.target); };
  return std::any_of(job.mounts.begin(), job.mounts.end(), is_shown) ||
         std::any_of(job.overlays.begin(), job.overlays.end(), is_held);
}

Status keep_off_the_disk(const std::vector<wire::SecretUse>& uses, const Job& job) {
  for (const wire::SecretUse& use : uses)
    if (use.form == wire::SecretForm::file && is_on_the_disk(use.target, job))
      return Error{Code::invalid,
                   "secret " + use.name + ": " + use.target +
                       " lies in the workspace or in a folder that is shown, and so on the disk",
                   "--secret-file " + use.name};
  return {};
}

}  // namespace codexos::daemon
