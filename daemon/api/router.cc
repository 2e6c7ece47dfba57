// SPDX-License-Identifier: Apache-2.0
#include "daemon/api/router.h"

#include <algorithm>

namespace codexos::daemon {
namespace {

/// Cuts "/first" off "/first/rest".
std::string_view take_segment(std::string_view& path) {
  path.remove_prefix(1);
  const size_t end = std::min(path.find('/'), path.size());
  const std::string_view segment = path.substr(0, end);
  path.remove_prefix(end);
  return segment;
}

bool fits(std::string_view pattern, std::string_view path, std::vector<std::string>& params) {
  params.clear();
  while (!pattern.empty() && !path.empty()) {
    const std::string_view want = take_segment(pattern);
    const std::string_view have = take_segment(path);
    if (!want.empty() && want.front() == '{') {
      if (have.empty()) return false;
      params.emplace_back(have);
    } else if (want != have) {
      return false;
    }
  }
  return pattern.empty() && path.empty();
}

}  // namespace

Match find_route(const std::vector<Route>& routes, std::string_view method, std::string_view path) {
  Match match;
  for (const Route& route : routes) {
    if (!fits(route.pattern, path, match.params)) continue;
    if (route.method == method) {
      match.route = &route;
      return match;
    }
    if (!match.allow.empty()) match.allow += ", ";
    match.allow += route.method;
  }
  return match;
}

}  // namespace codexos::daemon
