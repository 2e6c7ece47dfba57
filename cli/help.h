// SPDX-License-Identifier: Apache-2.0
// Help as text, drawn from the table of commands. Pure functions.
#pragma once

#include <string>
#include <string_view>

#include "cli/commands.h"

namespace codexos::cli {

std::string help_overview();
/// Usage, options and two examples of one command; fits a screen.
std::string help_command(const Command& c);
/// The verbs of a noun ("daemon").
std::string help_noun(std::string_view noun);

}  // namespace codexos::cli
