// SPDX-License-Identifier: Apache-2.0
// What every command gets: the global options, which of our descriptors 0, 1, 2 were open at the
// start, and the last problem document that the daemon answered with.
#pragma once

#include <array>
#include <optional>

#include "cli/args.h"
#include "core/wire/problem.h"

namespace codexos::cli {

struct Context {
  Globals globals;
  std::array<bool, 3> open_at_start = {true, true, true};
  std::optional<wire::Problem> problem;
};

}  // namespace codexos::cli
