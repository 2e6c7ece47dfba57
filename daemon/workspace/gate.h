// SPDX-License-Identifier: Apache-2.0
// The gate between a task's changes and the host: which of them a tool outside would later execute
// or obey without being asked. Those are shown, and applied only with consent.
//
// Three kinds: what is protected by its name (gate_names.cc, a table), what is a repository by its
// structure though it does not look like one, and inside of every git dir whatever is not plain
// data (gate_git.cc). New, modified, deleted, made executable: all of it counts. What the user runs
// knowingly (a Makefile, a test) is not the gate's business; SECURITY.md says so.
//
// Pure: paths and modes come with the deltas, the rest is asked of a GateView.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "daemon/workspace/layers.h"

namespace codexos::daemon {

struct Protected {
  std::string path;  // of the delta
  std::string what;  // the protected thing that it is, or is part of: ".github/workflows"
  std::string why;   // "runs programs when its hooks are installed"
};

enum class GateSide { before, after };

/// What the gate asks about a root; all paths relative to it, no link followed.
class GateView {
 public:
  virtual ~GateView() = default;
  /// st_mode in the real folder; nothing: it is not there.
  virtual std::optional<uint32_t> mode_before(const std::string& path) const = 0;
  virtual Result<std::string> link_before(const std::string& path) const = 0;
  /// A regular file, whole. Error: it is none, or larger than `limit`.
  virtual Result<std::string> read(GateSide side, const std::string& path, size_t limit) const = 0;
};

struct GateOptions {
  bool git_dir = false;            // the root itself is a git dir (a worktree's, or the common one)
  std::vector<std::string> names;  // protected beside the table's, written as there
};

/// In the order of `deltas`, each at most once. A deletion counts where the folder around the
/// protected thing stays: who deletes node_modules is not asked about the editors' folders in it.
std::vector<Protected> find_protected(const std::vector<Delta>& deltas, const GateView& view,
                                      const GateOptions& options);

/// The same for an opened root.
std::vector<Protected> find_protected(const std::vector<Delta>& deltas, const LayerStack& layers,
                                      const GateOptions& options);

}  // namespace codexos::daemon
