// SPDX-License-Identifier: Apache-2.0
// Requests are untrusted: lengths, characters, and what this version lacks.
#include <array>
#include <string_view>

#include "core/policy/net_rules.h"
#include "daemon/tasks/agent_start.h"
#include "daemon/tasks/planner.h"

namespace codexos::daemon {
namespace {

constexpr size_t kMaxName = 64;
constexpr size_t kMaxStrings = 1 << 20;  // bytes of argv and env together; the kernel takes 2 MiB

Error invalid(std::string message) { return Error{Code::invalid, std::move(message), {}}; }

bool name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '-';
}

Status check_name(const std::string& name) {
  if (name.size() > kMaxName) return invalid("name: longer than 64 characters");
  for (const char c : name)
    if (!name_char(c)) return invalid("name: only a-z A-Z 0-9 . _ - are allowed: " + name);
  if (!name.empty() && (name[0] == '-' || name[0] == '.'))
    return invalid("name: starts with '" + name.substr(0, 1) + "': " + name);
  if (name == "last") return invalid("name: 'last' means the last task");
  return {};
}

bool has_nul(std::string_view s) { return s.find('\0') != std::string_view::npos; }

Status check_strings(const wire::TaskCreate& c) {
  size_t bytes = 0;
  for (const auto* list : {&c.argv, &c.extra})
    for (const auto& a : *list) {
      if (has_nul(a)) return invalid("argv: holds a NUL byte");
      bytes += a.size() + 1;
    }
  if (has_nul(c.prompt) || has_nul(c.agent)) return invalid("prompt: holds a NUL byte");
  bytes += c.prompt.size();
  for (const auto* map : {&c.env, &c.caller_env}) {
    for (const auto& [k, v] : *map) {
      if (k.empty() || has_nul(k) || has_nul(v) || k.find('=') != std::string::npos)
        return invalid("env: not a variable: " + k);
      bytes += k.size() + v.size() + 2;
    }
  }
  if (bytes > kMaxStrings) return invalid("argv and env are longer than 1 MiB");
  return {};
}

Status check_paths(const wire::TaskCreate& c) {
  if (c.cwd.empty() || c.cwd[0] != '/') return invalid("cwd: must be an absolute path");
  if (!c.workspace.empty() && c.workspace[0] != '/')
    return invalid("workspace: must be an absolute path");
  for (const auto* list : {&c.write, &c.show})
    for (const auto& p : *list)
      if (p.empty() || has_nul(p)) return invalid("a path is empty or holds a NUL byte");
  if (has_nul(c.cwd) || has_nul(c.workspace)) return invalid("a path holds a NUL byte");
  return {};
}

Status check_modes(const wire::TaskCreate& c) {
  if (c.stdin_mode == Stdio::passed) return invalid("stdin_mode: stdin cannot be passed");
  if (c.umask > 0777) return invalid("umask: above 0777");
  if (c.rows == 0 || c.rows > 65535 || c.cols == 0 || c.cols > 65535)
    return invalid("rows, cols: must be 1 to 65535");
  if (c.mode != wire::WorkspaceMode::overlay && (!c.write.empty() || !c.from.empty()))
    return invalid("write and from need mode overlay");
  if (c.mode != wire::WorkspaceMode::overlay && c.apply != wire::ApplyWhen::never)
    return invalid("apply needs mode overlay: nothing else is held back");
  if (c.allow_protected && c.skip_protected)
    return invalid("allow_protected and skip_protected: only one of them can be given");
  if (c.apply == wire::ApplyWhen::never && (c.allow_protected || c.skip_protected))
    return invalid("allow_protected and skip_protected need apply");
  return {};
}

Status check_network(const wire::TaskCreate& c) {
  constexpr int32_t kLastPort = 65535;
  for (const auto* ports : {&c.publish, &c.reach})
    for (const int32_t port : *ports)
      if (port < 1 || port > kLastPort)
        return invalid("publish, reach: " + std::to_string(port) + " is no port");
  if (c.net == wire::Network::allow) {
    auto rules = parse_net_rules(c.allow);
    if (!rules.ok()) return std::move(rules).error();
    return {};
  }
  if (!c.allow.empty() || c.net_bytes != 0) return invalid("allow and net_bytes need net allow");
  return {};
}

/// TLS proves names, so a key goes to names only.
Status check_key_for(const wire::TaskCreate& c) {
  if (c.key_for.empty()) return {};
  if (!asks_for_agent(c)) return invalid("key_for: only an agent has a key");
  for (const auto& host : c.key_for) {
    if (host == kAnyHost) continue;
    const auto rules = parse_net_rules({host});
    if (!rules.ok()) return Error(rules.error()).during("key_for");
    if (rules->front().kind == NetRule::Kind::network)
      return invalid("key_for: " + host + " is an address: TLS proves names only");
  }
  return {};
}

Status check_features(const wire::TaskCreate& c) {
  CODEXOS_TRY(check_key_for(c));
  if (c.learn && c.seccomp == wire::SeccompProfile::nested)
    return invalid(
        "learn needs seccomp default: programs with a sandbox of their own want the only "
        "listener there is");
  return check_network(c);
}

}  // namespace

Status check_create(const wire::TaskCreate& c) {
  if (asks_for_agent(c)) {
    if (!c.argv.empty()) return invalid("argv: an agent makes its own command line");
  } else if (c.argv.empty() || c.argv[0].empty()) {
    return invalid("argv: no program is named");
  } else if (!c.extra.empty() || c.agent_use != wire::AgentUse::job) {
    return invalid("extra and agent_use need an agent");
  }
  CODEXOS_TRY(check_strings(c));
  CODEXOS_TRY(check_name(c.name));
  CODEXOS_TRY(check_paths(c));
  CODEXOS_TRY(check_modes(c));
  return check_features(c);
}

}  // namespace codexos::daemon
