// SPDX-License-Identifier: Apache-2.0
// The unified patch of a diff, in git's extended format (git-diff(1), "Generating patch text with
// -p"): `git apply` takes all of it, `patch -p1` all but binary files,
// empty files with a blank in their names, and a file in a folder's place. What git has no
// form for (empty folders, other mode bits than x, attributes, fifos) stands in remarks before the
// first file, which both programs pass over; so do the lines that stand for many changes.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/workspace/diff.h"

namespace codexos::daemon {

struct LineCount {
  uint64_t added = 0, removed = 0;
  bool binary = false;
};
/// Changed lines of one entry; nothing for what is neither file nor link, or cannot be read.
LineCount count_lines(const LayerStack& stack, const DiffEntry& e);

/// "node_modules/ +41,233 files", ".git: main +2 commits".
std::string group_text(const DiffGroup& g, const Root& root);

/// The patch text of a diff piece by piece: what a piece needs in memory is bounded, how long the
/// whole is does not matter.
class PatchStream {
 public:
  PatchStream(std::vector<RootDiff> diff, DiffOptions o);
  /// Text of `least` bytes or a little more (one file's), or all that is left; empty: the end.
  std::string next(size_t least);

 private:
  std::string remarks();
  std::vector<RootDiff> diff_;
  DiffOptions o_;
  size_t root_ = 0, entry_ = 0;
  bool begun_ = false;
};

}  // namespace codexos::daemon
