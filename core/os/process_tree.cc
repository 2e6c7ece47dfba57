// SPDX-License-Identifier: Apache-2.0
#include "core/os/process_tree.h"

#include <algorithm>
#include <cstdio>
#include <string>

#include "core/os/file.h"

namespace codexos {
namespace {

constexpr int kTries = 3;
constexpr int kDeepest = 1 << 16;

std::optional<bool> walk(pid_t pid, const std::vector<pid_t>& ancestors,
                         const std::function<std::optional<pid_t>(pid_t)>& parent_of) {
  for (int depth = 0; depth < kDeepest; ++depth) {
    if (std::find(ancestors.begin(), ancestors.end(), pid) != ancestors.end()) return true;
    if (pid <= 1) return false;
    const auto parent = parent_of(pid);
    if (!parent) return std::nullopt;
    pid = *parent;
  }
  return std::nullopt;
}

}  // namespace

std::optional<pid_t> real_parent_of(pid_t pid) {
  const auto stat = read_file("/proc/" + std::to_string(pid) + "/stat", 64 * 1024);
  if (!stat.ok()) return std::nullopt;
  const size_t close = stat->rfind(')');  // the name before it may hold anything
  char state = 0;
  int parent = 0;
  if (close == std::string::npos ||
      std::sscanf(stat->c_str() + close + 1, " %c %d", &state, &parent) != 2)
    return std::nullopt;
  return static_cast<pid_t>(parent);
}

std::optional<bool> descends_from(pid_t pid, const std::vector<pid_t>& ancestors,
                                  const std::function<std::optional<pid_t>(pid_t)>& parent_of) {
  for (int i = 0; i < kTries; ++i)
    if (const auto found = walk(pid, ancestors, parent_of)) return found;
  return std::nullopt;
}

}  // namespace codexos
