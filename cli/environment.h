// SPDX-License-Identifier: Apache-2.0
// Which of the caller's variables a request carries: the fixed pass list (cli contract "What a task
// finds"; the daemon decides what of it enters the task), and what -e and --env-file name.
#pragma once

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"

namespace codexos::cli {

using Variables = std::map<std::string, std::string>;

/// The pass list, sorted; with it goes whatever begins with LC_. PATH, HOME, USER and SHELL are
/// what the daemon makes the task's own from.
inline constexpr std::array<std::string_view, 12> kPassed{
    "CI",       "COLORTERM", "HOME",  "LANG", "LANGUAGE", "LOGNAME",
    "NO_COLOR", "PATH",      "SHELL", "TERM", "TZ",       "USER"};
static_assert(std::is_sorted(kPassed.begin(), kPassed.end()));

/// environ(7) as a map; the first of equal names counts, as for getenv(3).
Variables read_environment();

/// The pass list out of `all`. Values that are not UTF-8 are left out.
Variables caller_variables(const Variables& all);

/// The text of an --env-file: one K=V or K a line, `#` begins a comment line.
Status add_env_file(std::string_view text, const Variables& all, Variables& out);
/// One -e: K=V, K (the caller's value; nothing when unset) or a GLOB_* over the caller's names.
Status add_env_option(const std::string& option, const Variables& all, Variables& out);
/// Both kinds of option; -e wins over files.
Result<Variables> task_variables(const std::vector<std::string>& files,
                                 const std::vector<std::string>& options, const Variables& all);

}  // namespace codexos::cli
