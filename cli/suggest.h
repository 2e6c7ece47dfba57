// SPDX-License-Identifier: Apache-2.0
// "Did you mean": the nearest known word to a mistyped one.
#pragma once

#include <string_view>
#include <vector>

namespace codexos::cli {

/// Optimal string alignment distance: insertions, deletions, substitutions and swaps of neighbours.
size_t edit_distance(std::string_view a, std::string_view b);

/// The nearest of `known` at distance 2 or less (and nearer than replacing the whole word), or
/// empty. The first of equals wins.
std::string_view suggest(std::string_view word, const std::vector<std::string_view>& known);

}  // namespace codexos::cli
