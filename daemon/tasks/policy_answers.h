// SPDX-License-Identifier: Apache-2.0
// Answers to the questions of `codexos policy test`: may a task under these rights do that?
#pragma once

#include <string>

#include "core/policy/report.h"
#include "core/policy/resolve.h"
#include "daemon/tasks/inside.h"

namespace codexos::daemon {

struct Asked {
  const policy::Rights& rights;
  const InsideView& inside;
  std::string home;       // what ~ means
  std::string workspace;  // what a relative path means
};
policy::Answered answer_case(const policy::Case& c, const Asked& asked);

}  // namespace codexos::daemon
