// SPDX-License-Identifier: Apache-2.0
#include "daemon/tasks/ssh_start.h"

#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>

#include "core/base/path.h"
#include "core/base/quote.h"
#include "core/base/ssh_wire.h"
#include "core/base/text.h"
#include "core/os/file.h"
#include "core/os/socket.h"
#include "core/policy/net_rules.h"
#include "daemon/ssh/known_hosts.h"
#include "daemon/trust/ssh_signature.h"

namespace codexos::daemon {
namespace {

constexpr const char* kPortOfSsh = ":22";
// The folder is the task's alone; who is it inside may be another user outside.
constexpr mode_t kSshFolder = 0755, kSocketForAll = 0666;
constexpr size_t kMaxSshKeys = 64;

/// As a rule of --allow, whose own port would be that of the web.
std::string rule_of_ssh(const std::string& host) {
  const size_t comma = std::min(host.find(','), host.size());
  const bool has_port = host.find(':') < comma;
  return host.substr(0, comma) + (has_port ? "" : kPortOfSsh) + host.substr(comma);
}

Result<NetRule> parse_ssh_host(const std::string& text) {
  CODEXOS_ASSIGN(const auto rules, parse_net_rule(rule_of_ssh(text)));
  const NetRule& rule = rules.front();
  const bool one_port = rule.ports.size() == 1 && rule.ports[0].first == rule.ports[0].last;
  if (rules.size() != 1 || rule.kind != NetRule::Kind::host || !one_port || rule.terminate)
    return Error{Code::invalid, "one host by its name is expected: " + quote_git(text),
                 "HOST or HOST:PORT"};
  return rule;
}

Result<SshKey> parse_ssh_key(const std::string& text) {
  const size_t type = text.find(' '), end = std::min(text.find(' ', type + 1), text.size());
  SshKey key;
  if (type != std::string::npos)
    key.blob = ssh_key_blob(text.substr(0, type), text.substr(type + 1, end - type - 1));
  if (key.blob.empty())
    return Error{Code::invalid, "no public key: " + quote_git(text.substr(0, 80)), {}};
  key.comment = end < text.size() ? text.substr(end + 1) : "";
  key.fingerprint = ssh_fingerprint(key.blob);
  return key;
}

Result<SshHost> known_host(const NetRule& rule, const std::string& known_hosts) {
  SshHost host{rule.name, rule.ports[0].first, {}};
  host.host_keys = known_host_keys(known_hosts, host.name, host.port);
  const std::string port = std::to_string(host.port);
  if (host.host_keys.empty())
    return Error{Code::invalid,
                 "no line of your known_hosts is for " + known_host_name(host.name, host.port),
                 "sign in to it once: ssh -p " + port + " " + host.name};
  return host;
}

/// The key of `access` with this blob, added where it is new.
SshKey& key_in(SshAccess& access, SshKey key) {
  const auto at = std::find_if(access.keys.begin(), access.keys.end(),
                               [&key](const SshKey& k) { return k.blob == key.blob; });
  return at != access.keys.end() ? *at : access.keys.emplace_back(std::move(key));
}

std::string type_of_blob(const std::string& blob) { return std::string(SshReader(blob).string()); }

/// Lines that say what `access` knows.
std::string known_lines(const SshAccess& access) {
  std::vector<std::string> lines;
  for (const SshKey& key : access.keys)
    for (const SshHost& host : key.hosts)
      for (const std::string& blob : host.host_keys)
        lines.push_back(known_host_name(host.name, host.port) + " " + type_of_blob(blob) + " " +
                        to_base64(blob) + "\n");
  std::sort(lines.begin(), lines.end());
  lines.erase(std::unique(lines.begin(), lines.end()), lines.end());
  return join_words(lines, "");
}

std::string read_known_hosts(const Caller& caller, const Host& host) {
  std::string all;
  for (const std::string& path :
       {join_path(caller.home, ".ssh/known_hosts"), join_path(caller.home, ".ssh/known_hosts2"),
        std::string("/etc/ssh/ssh_known_hosts"), std::string("/etc/ssh/ssh_known_hosts2")})
    if (std::string text; host.read(path, text)) all += text + "\n";
  return all;
}

Status check_ssh_request(const wire::TaskCreate& create) {
  if (create.ssh_agent.empty() || create.ssh_agent[0] != '/' ||
      create.ssh_agent.size() >= sizeof(sockaddr_un::sun_path))
    return Error{Code::invalid, "ssh_agent: must be the absolute path of an agent's socket", {}};
  if (create.ssh_keys.size() > kMaxSshKeys)
    return Error{Code::invalid, "ssh_keys: more than " + std::to_string(kMaxSshKeys), {}};
  if (create.net == wire::Network::host)
    return Error{Code::invalid, "--ssh-key: with --net host nothing passes the daemon",
                 "without --net host"};
  return {};
}

}  // namespace

Result<SshAccessPtr> ssh_access(const wire::TaskCreate& create, const std::string& known_hosts) {
  if (create.ssh_keys.empty()) return SshAccessPtr();
  SshAccess access;
  access.agent = create.ssh_agent;
  for (const wire::SshKeyUse& use : create.ssh_keys) {
    auto rule = parse_ssh_host(use.host);
    if (!rule.ok()) return std::move(rule).error().during("--ssh-key");
    auto host = known_host(*rule, known_hosts);
    if (!host.ok()) return std::move(host).error().during("--ssh-key");
    auto key = parse_ssh_key(use.key);
    if (!key.ok()) return std::move(key).error().during("--ssh-key");
    key_in(access, *std::move(key)).hosts.push_back(*std::move(host));
  }
  return std::make_shared<const SshAccess>(std::move(access));
}

Result<SshParts> give_ssh_keys(const wire::TaskCreate& create, const Caller& caller,
                               const Host& host) {
  SshParts out;
  if (create.ssh_keys.empty()) return out;
  CODEXOS_TRY(check_ssh_request(create));
  CODEXOS_ASSIGN(out.access, ssh_access(create, read_known_hosts(caller, host)));
  out.known_hosts = known_lines(*out.access);
  for (const wire::SshKeyUse& use : create.ssh_keys) out.hosts.push_back(rule_of_ssh(use.host));
  return out;
}

Result<Fd> listen_for_ssh(const std::string& folder) {
  CODEXOS_TRY(make_dirs(folder, kSshFolder));
  if (chmod(folder.c_str(), kSshFolder) != 0) return errno_error("chmod " + folder, errno);
  const std::string path = join_path(folder, kSshSocket);
  CODEXOS_ASSIGN(Fd fd, listen_unix(path, SocketType::stream));
  if (chmod(path.c_str(), kSocketForAll) != 0) return errno_error("chmod " + path, errno);
  return fd;
}

Mount show_ssh(const std::string& folder) {
  Mount m;
  m.kind = MountKind::bind;
  m.role = MountRole::shown;
  m.source = folder;
  m.target = kSshInside;
  m.read_only = true;
  return m;
}

}  // namespace codexos::daemon
