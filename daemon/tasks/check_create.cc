// SPDX-License-Identifier: Apache-2.0
// Requests are untrusted: lengths, characters, and what this version lacks.
#include <array>
#include <string_view>

#include "daemon/tasks/planner.h"

namespace codexos::daemon {
namespace {

constexpr size_t kMaxName = 64;
constexpr size_t kMaxStrings = 1 << 20;  // bytes of argv and env together; the kernel takes 2 MiB

Error invalid(std::string message) { return Error{Code::invalid, std::move(message), {}}; }
Error unsupported(const std::string& what) {
  return Error{Code::unsupported, what + ": not available in this version", {}};
}

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
  for (const auto& a : c.argv) {
    if (has_nul(a)) return invalid("argv: holds a NUL byte");
    bytes += a.size() + 1;
  }
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
  return {};
}

Status check_features(const wire::TaskCreate& c) {
  if (c.isolation != wire::Isolation::full)
    return unsupported("isolation " + std::string(name_of(c.isolation)));
  if (c.net != wire::Network::none) return unsupported("net " + std::string(name_of(c.net)));
  return {};
}

}  // namespace

Status check_create(const wire::TaskCreate& c) {
  if (c.argv.empty() || c.argv[0].empty()) return invalid("argv: no program is named");
  CODEXOS_TRY(check_strings(c));
  CODEXOS_TRY(check_name(c.name));
  CODEXOS_TRY(check_paths(c));
  CODEXOS_TRY(check_modes(c));
  return check_features(c);
}

}  // namespace codexos::daemon
