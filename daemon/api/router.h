// SPDX-License-Identifier: Apache-2.0
// Finds the route of a request. Pure: a method and a path in, a row of the table out.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "daemon/api/server.h"

namespace codexos::daemon {

struct Match {
  const Route* route = nullptr;     // null: there is none
  std::vector<std::string> params;  // of the pattern's {names}, in order
  std::string allow;                // methods that the path has; empty: the path does not exist
};

/// The first row whose pattern fits `path` segment by segment and whose method is `method`. A
/// {name} takes one segment that is not empty.
Match find_route(const std::vector<Route>& routes, std::string_view method, std::string_view path);

}  // namespace codexos::daemon
