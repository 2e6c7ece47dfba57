// SPDX-License-Identifier: Apache-2.0
// run --plan-only in words.
#pragma once

#include <string>

#include "core/wire/task.h"

namespace codexos::cli {

/// What every task finds alike is told in one line a role, unless `all`.
std::string plan_text(const wire::PlanView& p, bool all);

}  // namespace codexos::cli
