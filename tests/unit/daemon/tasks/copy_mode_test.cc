// SPDX-License-Identifier: Apache-2.0
#include "daemon/tasks/copy_mode.h"

#include <doctest/doctest.h>

#include <cerrno>

namespace codexos::daemon {
namespace {

constexpr int64_t kExt4 = 0xef53, kOverlay = 0x794c7630, kNfs = 0x6969;

TEST_CASE("a copy is made only where an overlay cannot be, and the reason is said") {
  OverlayFacts f;
  f.state_magic = f.workspace_magic = kExt4;
  CHECK(why_copy(f).empty());
  f.workspace_magic = kNfs;
  CHECK(why_copy(f).empty());  // a lower layer may lie anywhere
  f.idmapped = true;
  CHECK(why_copy(f) == "the workspace lies on nfs, which cannot be shown under another user id");
  f.workspace_magic = kExt4;
  f.mounts_below = {"/w/tmp"};
  CHECK(why_copy(f).empty());  // root's clone leaves them out
  f.idmapped = false;
  CHECK(why_copy(f) == "/w/tmp is mounted inside the workspace");
  f.mounts_below.clear();
  f.state_magic = kOverlay;
  CHECK(why_copy(f) == "the state folder lies on overlay");
  f.state_magic = kExt4;
  f.refused = true;
  CHECK(why_copy(f) == "the kernel refused an overlay there");
  f.forced = true;
  CHECK(why_copy(f) == "CODEXOS_FORCE_COPY is set");
}

TEST_CASE("a kernel that refuses an overlay is told from a disk that is full") {
  CHECK(is_overlay_refusal("overlays", EINVAL));
  CHECK(!is_overlay_refusal("overlays", ENOSPC));
  CHECK(!is_overlay_refusal("view", EINVAL));
}

}  // namespace
}  // namespace codexos::daemon
