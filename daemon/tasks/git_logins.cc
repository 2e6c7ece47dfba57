// SPDX-License-Identifier: Apache-2.0
#include "daemon/tasks/git_logins.h"

#include <algorithm>
#include <set>
#include <tuple>

#include "core/policy/net_rules.h"

namespace codexos::daemon {
namespace {

constexpr uint16_t kHttps = 443, kHttp = 80;
constexpr uint16_t kMostPorts = 16;  // of a range that is written out
constexpr int kDeepestWildcard = 4;  // git's `*` stands for one label

struct LoginUrl {
  std::string url;
  std::string placeholder;
  /// Of two that fit git takes the later one: exact names behind wildcards, long behind short.
  std::tuple<bool, size_t, size_t> order;
};

std::vector<std::string> names_of(const NetRule& rule) {
  if (rule.kind == NetRule::Kind::network) return {};  // binds nothing
  if (rule.kind == NetRule::Kind::host) return {rule.name};
  std::vector<std::string> out;
  std::string name = rule.name;
  for (int i = 0; i < kDeepestWildcard; ++i) out.push_back(name = "*." + name);
  return out;
}

std::vector<uint16_t> https_ports_of(const NetRule& rule) {
  std::vector<uint16_t> out;
  for (const PortRange& r : rule.ports) {
    if (r.last - r.first >= kMostPorts) {
      if (r.first <= kHttps && kHttps <= r.last) out.push_back(kHttps);
      continue;
    }
    for (uint32_t port = r.first; port <= r.last; ++port)
      if (port != kHttp) out.push_back(static_cast<uint16_t>(port));
  }
  return out;
}

void add_urls(const NetRule& rule, const GitLogin& login, std::vector<LoginUrl>& out) {
  const std::string& path = login.binding.path_prefix;
  for (const std::string& name : names_of(rule))
    for (const uint16_t port : https_ports_of(rule))
      out.push_back({"https://" + name + (port == kHttps ? "" : ":" + std::to_string(port)) + path,
                     login.placeholder,
                     {rule.kind == NetRule::Kind::host, rule.name.size(), path.size()}});
}

/// As the name of a subsection, git-config(1).
std::string quoted_url(std::string_view url) {
  std::string out = "\"";
  for (const char c : url) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

/// The helper reads all that it is told, or git could be killed by its broken pipe.
std::string section(const LoginUrl& login) {
  return "[credential " + quoted_url(login.url) +
         "]\n\thelper =\n\thelper = \"!f() { while read -r l; do :; done; echo password=" +
         login.placeholder + "; }; f\"\n\tusername = " + kGitLoginName + "\n";
}

bool may_stand_in_section(std::string_view path) {
  return std::all_of(path.begin(), path.end(),
                     [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f; });
}

}  // namespace

bool is_for_git(const wire::SecretBinding& b) {
  const auto takes = [&b](const char* method) {
    return b.methods.empty() ||
           std::find(b.methods.begin(), b.methods.end(), method) != b.methods.end();
  };
  return b.header == "authorization" && takes("GET") && takes("POST") &&
         may_stand_in_section(b.path_prefix);
}

Result<std::string> git_logins_config(const std::vector<GitLogin>& logins) {
  std::vector<LoginUrl> urls;
  for (const GitLogin& login : logins) {
    CODEXOS_ASSIGN(const auto rules, parse_net_rules(login.binding.hosts));
    for (const NetRule& rule : rules) add_urls(rule, login, urls);
  }
  std::set<std::string> seen;
  const auto again = [&seen](const LoginUrl& l) { return !seen.insert(l.url).second; };
  urls.erase(std::remove_if(urls.begin(), urls.end(), again), urls.end());
  std::stable_sort(urls.begin(), urls.end(),
                   [](const LoginUrl& a, const LoginUrl& b) { return a.order < b.order; });
  std::string text;
  for (const LoginUrl& login : urls) text += section(login);
  if (!text.empty()) text.insert(0, "# of codexos: git signs in with placeholders of secrets\n");
  return text;
}

}  // namespace codexos::daemon
