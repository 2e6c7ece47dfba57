// SPDX-License-Identifier: Apache-2.0
// Lists of changes as git prints them: --name-status and --stat (git-diff(1)). Lines that stand for
// many changes, and what git has no form for, come first.
#pragma once

#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/wire/changes.h"

namespace codexos::cli {

struct ChangeStyle {
  std::string workspace;  // paths of other roots are shown whole
  size_t width = 80;      // columns of --stat
  bool color = false;
  bool neutral = false;  // for a terminal: nothing that it would obey
};

std::string name_status_text(const std::vector<wire::Change>& changes, const ChangeStyle& style);
std::string stat_text(const std::vector<wire::Change>& changes, const ChangeStyle& style);
/// "a/{old => new}/file": a rename as git shortens it.
std::string rename_text(const std::string& from, const std::string& to);

}  // namespace codexos::cli
