// SPDX-License-Identifier: Apache-2.0
#include "core/policy/net_groups.h"

namespace codexos {

const std::vector<NetGroup>& net_groups() {
  static const std::vector<NetGroup> groups = {
      {"crates", "Rust packages", {"index.crates.io", "static.crates.io", "crates.io"}},
      {"debian", "Debian packages", {"deb.debian.org", "security.debian.org"}},
      {"github",
       "repositories and releases on GitHub",
       {"github.com", "github.com:22", "api.github.com", "codeload.github.com",
        "raw.githubusercontent.com", "objects.githubusercontent.com",
        "release-assets.githubusercontent.com", "github-cloud.githubusercontent.com"}},
      {"go", "Go modules", {"proxy.golang.org", "sum.golang.org"}},
      {"npm", "npm packages", {"registry.npmjs.org", "registry.yarnpkg.com"}},
      {"pypi", "Python packages", {"pypi.org", "files.pythonhosted.org"}},
  };
  return groups;
}

const NetGroup* find_net_group(std::string_view name) {
  for (const auto& g : net_groups())
    if (g.name == name) return &g;
  return nullptr;
}

std::string net_group_names() {
  std::string out;
  for (const auto& g : net_groups()) out += (out.empty() ? "@" : ", @") + std::string(g.name);
  return out;
}

}  // namespace codexos
