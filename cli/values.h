// SPDX-License-Identifier: Apache-2.0
// The values of options: times, signals, numbers, K=V, and words that are told back to the user as
// a command line. Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/base/units.h"

namespace codexos::cli {

/// "KILL", "SIGKILL", "kill" or "9" (signal(7)); error invalid with the nearest name.
Result<int> parse_signal(std::string_view text);
/// "TERM", or the number.
std::string signal_name(int signal);

Result<uint64_t> parse_number(std::string_view text);

/// "K=V" -> {K, V}; error invalid without `=` or with an empty key.
Result<std::pair<std::string, std::string>> parse_pair(std::string_view text);

/// As the shell would have to read it: plain words as they are, others in single quotes.
std::string quote_word(std::string_view word);
std::string quote_words(const std::vector<std::string>& words);

/// `path` as an absolute one: "~" and "~/" are home (where the shell did not expand them, as in
/// --show=~/x), other relative ones are below `base`. Links are not resolved.
std::string absolute_path(std::string_view path, std::string_view base, std::string_view home);

}  // namespace codexos::cli
