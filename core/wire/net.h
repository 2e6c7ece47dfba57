// SPDX-License-Identifier: Apache-2.0
// Changing what a running task may reach.
#pragma once

#include <string>
#include <vector>

#include "core/base/fields.h"

namespace codexos::wire {

/// POST /v1/tasks/{id}/net: all of it at once, or, when a rule is wrong, nothing.
struct NetBody {
  std::vector<std::string> allow;  // added
  std::vector<std::string> deny;   // taken away: rules in force, as they were written
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("allow", s.allow, "rules to add");
    v("deny", s.deny, "rules in force to take away; connections that they admitted are cut");
  }
};

}  // namespace codexos::wire
