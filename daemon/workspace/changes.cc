// SPDX-License-Identifier: Apache-2.0
// How much a task changed, for the closing note; and paths as text.
#include <algorithm>

#include "core/base/text.h"
#include "daemon/workspace/layers.h"
#include "daemon/workspace/workspace.h"

namespace codexos::daemon {

std::string path_text(std::string_view path) {
  std::string out;
  while (!path.empty()) {
    const size_t n = utf8_length(path);
    if (n == 0) {
      char escaped[8];
      snprintf(escaped, sizeof escaped, "\\x%02X", static_cast<unsigned char>(path[0]));
      out += escaped;
    } else {
      out += path.substr(0, n);
    }
    path.remove_prefix(std::max<size_t>(n, 1));
  }
  return out;
}

Result<wire::ChangeCount> count_changes(const std::vector<Root>& roots, size_t limit) {
  wire::ChangeCount count;
  size_t seen = 0;
  for (const auto& root : roots) {
    if (root.layer.empty() || count.more) continue;
    CODEXOS_ASSIGN(const auto stack, LayerStack::open(root));
    bool more = false;
    const auto add = [&](Delta&& d) {
      if (limit != 0 && seen == limit) {
        count.more = true;
        return false;
      }
      ++seen;
      ++(d.status == 'A' ? count.added : d.status == 'D' ? count.deleted : count.modified);
      return true;
    };
    stack.each({}, add, more);
    count.more = count.more || more;
  }
  return count;
}

}  // namespace codexos::daemon
