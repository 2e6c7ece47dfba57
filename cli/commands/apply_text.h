// SPDX-License-Identifier: Apache-2.0
// What apply and undo share: which task is meant, and how their outcome is told.
#pragma once

#include <string>
#include <vector>

#include "cli/client.h"
#include "core/wire/apply.h"

namespace codexos::cli {

/// The first word, or the last task of this workspace whose changes wait, or its last task; stderr
/// says which (not with -q).
Result<std::string> task_with_changes(Context& ctx, Client& client, const Invocation& inv);

/// The paths after `--`, absolute.
Result<std::vector<std::string>> given_paths(const Invocation& inv);

/// `verb`: "apply" or "undo". Prints the outcome and returns the exit code.
Result<int> tell_outcome(Context& ctx, std::string_view verb, const std::string& reply,
                         const wire::ApplyResult& result);

/// The protected paths, and a question on the terminal. False: no, or there is no terminal.
bool consents(const Context& ctx, const wire::ApplyResult& result);

}  // namespace codexos::cli
