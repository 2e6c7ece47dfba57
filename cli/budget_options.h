// SPDX-License-Identifier: Apache-2.0
// --max-tokens, --max-requests and --max-cost, where a command takes them.
#pragma once

#include "cli/args.h"
#include "core/base/error.h"
#include "core/wire/budget.h"

namespace codexos::cli {

/// Error invalid: which option is no amount, or 0.
Status fill_budget(const Invocation& inv, wire::BudgetLimits& limits);

}  // namespace codexos::cli
