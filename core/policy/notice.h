// SPDX-License-Identifier: Apache-2.0
// What a task reads about itself in /run/codexos/policy.txt: what it may do, so that an agent does
// not try twenty ways round a wall, but says which option it needs. Pure.
#pragma once

#include <string>

#include "core/policy/resolve.h"
#include "core/wire/task.h"

namespace codexos::policy {

struct NoticeFacts {
  std::string workspace;  // empty: there is none
  wire::WorkspaceMode mode = wire::WorkspaceMode::overlay;
  Names write;  // written through
};
std::string notice(const Rights& rights, const NoticeFacts& facts);

}  // namespace codexos::policy
