// SPDX-License-Identifier: Apache-2.0
// Completion scripts of the shells, drawn from the table of commands. They are static: only the ids
// of tasks are asked for, by `codexos __ids`.
#pragma once

#include <string>
#include <string_view>

namespace codexos::cli {

/// The script for "bash", "zsh" or "fish"; empty for others.
std::string completion_script(std::string_view shell);

}  // namespace codexos::cli
