// SPDX-License-Identifier: Apache-2.0
// The bytes of one side of a delta, as git would store them: a file's content, a link's target.
#pragma once

#include <string>

#include "core/base/error.h"
#include "daemon/workspace/layers.h"

namespace codexos::daemon {

enum class When { before, after };

inline const std::optional<Facts>& facts_on(const Delta& d, When s) {
  return s == When::before ? d.before : d.after;
}
/// Empty where there is nothing on that side. Error exhausted: more than `limit` bytes; denied: it
/// may not be read; invalid: neither file nor link.
Result<std::string> load_content(const LayerStack& stack, const Delta& d, When side, size_t limit);

/// git's rule: a NUL among the first 8000 bytes.
bool is_binary(std::string_view content);

}  // namespace codexos::daemon
