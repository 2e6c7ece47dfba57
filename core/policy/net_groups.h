// SPDX-License-Identifier: Apache-2.0
// Groups of hosts that belong together, as data: what a package manager needs, named once. A host
// is in a group when the tool fails without it; nothing is in one that takes uploads from anybody.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace codexos {

struct NetGroup {
  const char* name;  // without '@'
  const char* what;
  std::vector<const char*> rules;  // as net_rules.h reads them; no group in a group
};

const std::vector<NetGroup>& net_groups();
/// Null: there is none of this name.
const NetGroup* find_net_group(std::string_view name);
/// "@crates, @debian, ..." for messages.
std::string net_group_names();

}  // namespace codexos
