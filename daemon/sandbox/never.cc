// SPDX-License-Identifier: Apache-2.0
// For --plan-only: what exists and is not shown. The table itself is core/policy/never.cc.
#include "core/base/path.h"
#include "daemon/sandbox/sandbox.h"

namespace codexos::daemon {

std::vector<std::string> hidden_things(const Caller& c, const Host& host) {
  std::vector<std::string> out;
  for (const auto& path : never_shown(c)) {
    PathFact fact;
    if (!host.lookup(path, fact)) continue;
    const std::string name = path_within(path, c.home) ? "~" + path.substr(c.home.size()) : path;
    out.push_back(name + ": --show " + name);
  }
  return out;
}

}  // namespace codexos::daemon
