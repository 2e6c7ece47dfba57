// SPDX-License-Identifier: Apache-2.0
// Three-way merge of texts, by libgit2.
#pragma once

#include <string>
#include <string_view>

#include "core/base/error.h"

namespace codexos::daemon {

inline constexpr size_t kMergeLimit = 1 << 20;  // bytes of a text; larger ones are not merged

struct MergedText {
  bool clean = true;  // else conflict markers are in it, diff3 style
  std::string text;
};
/// `now` is what the user has, `after` what the task left, `task` names it in markers.
Result<MergedText> merge_texts(const std::string& base, const std::string& now,
                               const std::string& after, const std::string& path,
                               const std::string& task);

/// As git guesses: no zero byte in its first 8000 bytes. Longer than kMergeLimit: it is none.
bool is_mergeable_text(std::string_view content);

}  // namespace codexos::daemon
