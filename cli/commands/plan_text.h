// SPDX-License-Identifier: Apache-2.0
// run --plan-only in words.
#pragma once

#include <string>

#include "core/wire/task.h"

namespace codexos::cli {

std::string plan_text(const wire::PlanView& p);

}  // namespace codexos::cli
