// SPDX-License-Identifier: Apache-2.0
#include "cli/suggest.h"

#include <algorithm>

namespace codexos::cli {

size_t edit_distance(std::string_view a, std::string_view b) {
  // Three rows of the table: the one being filled, the one before and, for swaps, the one before
  // that.
  std::vector<size_t> before2(b.size() + 1);
  std::vector<size_t> before(b.size() + 1);
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) before[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t change = a[i - 1] == b[j - 1] ? 0 : 1;
      row[j] = std::min({before[j] + 1, row[j - 1] + 1, before[j - 1] + change});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before2[j - 2] + 1);
    }
    before2.swap(before);
    before.swap(row);
  }
  return before[b.size()];
}

std::string_view suggest(std::string_view word, const std::vector<std::string_view>& known) {
  constexpr size_t kFar = 3;
  std::string_view best;
  size_t best_distance = kFar;
  for (const std::string_view candidate : known) {
    const size_t d = edit_distance(word, candidate);
    if (d < best_distance && d < std::max(word.size(), candidate.size()) - 1) {
      best = candidate;
      best_distance = d;
    }
  }
  return best;
}

}  // namespace codexos::cli
