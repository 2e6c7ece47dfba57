// SPDX-License-Identifier: Apache-2.0
// What this caller asks of policies: --policy and --profile, and what its environment says. The
// files themselves are read by the daemon alone.
#pragma once

#include <functional>
#include <string>

#include "cli/args.h"
#include "cli/context.h"
#include "cli/environment.h"
#include "core/base/error.h"
#include "core/policy/report.h"
#include "core/wire/policy_ask.h"

namespace codexos::cli {

Result<wire::PolicyAsk> policy_ask(const Invocation& inv, const Variables& env,
                                   const std::string& cwd);

/// The same with where we are (-w, --workspace), for questions about policies.
Result<policy::PolicyQuery> policy_query(const Invocation& inv);

/// Does `send`; when the daemon answers that a policy passes on variables of ours, once more with
/// their values in `ask`.
Result<int> send_with_env(Context& ctx, const Variables& env, wire::PolicyAsk& ask,
                          const std::function<Result<int>()>& send);

}  // namespace codexos::cli
