// SPDX-License-Identifier: Apache-2.0
// Which new file is a file that is gone, under another name: same content first, then similar text.
// Bounded: what would take long (many candidates, large files) is told as gone and new instead.
#pragma once

#include <cstddef>
#include <vector>

#include "daemon/workspace/layers.h"

namespace codexos::daemon {

struct Rename {
  size_t from = 0, to = 0;  // indexes of a D and an A
  int similarity = 100;     // percent; 100: the same bytes
};
/// Each delta is in one rename at most. Empty files are in none.
std::vector<Rename> find_renames(const LayerStack& stack, const std::vector<Delta>& deltas);

}  // namespace codexos::daemon
