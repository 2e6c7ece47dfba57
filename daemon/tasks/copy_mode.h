// SPDX-License-Identifier: Apache-2.0
// Where an overlay cannot hold changes back, and why: then the task works on a copy
// (daemon/workspace/copy.h). Pure; the planner asks the host.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace codexos::daemon {

struct OverlayFacts {
  int64_t state_magic = 0;      // statfs(2) of the state folder, where the layer would lie
  int64_t workspace_magic = 0;  // and of the workspace
  bool idmapped = false;        // a root daemon: both are shown under another user id
  std::vector<std::string> mounts_below;  // in the workspace
  bool refused = false;                   // the kernel would not mount it at an earlier start
  bool forced = false;                    // CODEXOS_FORCE_COPY
};

/// Why there must be a copy; empty: an overlay works.
std::string why_copy(const OverlayFacts& f);

/// Whether a failed step of a start says that overlays do not work there, and a copy would.
bool is_overlay_refusal(std::string_view step, int error);

}  // namespace codexos::daemon
