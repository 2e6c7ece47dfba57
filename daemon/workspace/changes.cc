// SPDX-License-Identifier: Apache-2.0
// What a task changed, as the wire tells it: the deltas of all roots as a list, or only counted.
#include <algorithm>

#include "daemon/workspace/layers.h"
#include "daemon/workspace/workspace.h"

namespace codexos::daemon {
namespace {

/// How long the UTF-8 sequence at `s` is (RFC 3629); 0: it is none.
size_t utf8_length(std::string_view s) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(s[i]); };
  const unsigned char lead = byte(0);
  const size_t n = lead < 0x80                   ? 1
                   : lead >= 0xC2 && lead < 0xE0 ? 2
                   : (lead & 0xF0) == 0xE0       ? 3
                   : lead >= 0xF0 && lead < 0xF5 ? 4
                                                 : 0;
  if (n == 0 || n > s.size()) return 0;
  for (size_t i = 1; i < n; ++i)
    if ((byte(i) & 0xC0) != 0x80) return 0;
  if (n > 2) {
    const unsigned second = byte(1);
    if ((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F) ||
        (lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second > 0x8F))
      return 0;
  }
  return n;
}

}  // namespace

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

Result<std::vector<wire::Change>> list_changes(const std::vector<Root>& roots, size_t limit,
                                               bool& more) {
  std::vector<wire::Change> out;
  more = false;
  for (const auto& root : roots) {
    if (root.layer.empty()) continue;
    if (limit != 0 && out.size() >= limit) {
      more = true;
      break;
    }
    CODEXOS_ASSIGN(const auto stack, LayerStack::open(root));
    WalkOptions o;
    o.limit = limit == 0 ? 0 : limit - out.size();
    bool cut = false;
    CODEXOS_ASSIGN(const auto deltas, stack.walk(o, cut));
    more = more || cut;
    for (const Delta& d : deltas) {
      wire::Change c;
      c.status = std::string(1, d.status);
      c.path = path_text(d.path);
      c.root = root.path;
      out.push_back(std::move(c));
    }
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
