// SPDX-License-Identifier: Apache-2.0
// A git config as the gate sees it: which keys a change sets, changes or takes away that are not
// known to be harmless. Read by libgit2, as git reads it; a text that two readers could take
// differently is not read at all.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"

namespace codexos::daemon {

struct ConfigEntry {
  std::string key;  // as git writes it: section and name in lower case, the subsection as it is
  std::string value;
  bool operator==(const ConfigEntry& o) const { return key == o.key && value == o.value; }
};

/// In the order of the text. Error denied: it includes other files, or is written in a way that git
/// itself never writes; invalid: git would refuse it.
Result<std::vector<ConfigEntry>> parse_git_config(std::string_view text);

/// Keys that differ between the two and are not harmless; sorted. Error as above.
Result<std::vector<std::string>> risky_keys(std::string_view before, std::string_view after);

}  // namespace codexos::daemon
