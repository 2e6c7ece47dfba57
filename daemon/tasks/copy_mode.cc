// SPDX-License-Identifier: Apache-2.0
#include "daemon/tasks/copy_mode.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include "daemon/sandbox/idmap.h"

namespace codexos::daemon {
namespace {

/// linux/magic.h. What cannot be the upper file system of an overlay: no whiteouts, no
/// RENAME_WHITEOUT or no d_type (Documentation/filesystems/overlayfs.rst, "Upper and lower").
constexpr std::array<int64_t, 9> kNoUpper{
    0x794c7630 /* overlay */, 0x6969 /* nfs */,  0x65735546 /* fuse */,
    0x01021997 /* 9p */,      0x517b /* smb */,  0xff534d42 /* cifs */,
    0xfe534d42 /* smb2 */,    0x4d44 /* vfat */, 0xf15f /* ecryptfs */};
/// What cannot be shown under another user id (mount_setattr(2), ID-mapped mounts).
constexpr std::array<int64_t, 6> kNoIdmap{0x794c7630 /* overlay */, 0x6969 /* nfs */,
                                          0x517b /* smb */,         0xff534d42 /* cifs */,
                                          0xfe534d42 /* smb2 */,    0xf15f /* ecryptfs */};

template <size_t N>
bool holds(const std::array<int64_t, N>& list, int64_t magic) {
  return std::find(list.begin(), list.end(), magic) != list.end();
}

}  // namespace

std::string why_copy(const OverlayFacts& f) {
  if (f.forced) return "CODEXOS_FORCE_COPY is set";
  // An unprivileged overlay over mounts is EINVAL; root's leaves them out.
  if (!f.idmapped && !f.mounts_below.empty())
    return f.mounts_below.front() + " is mounted inside the workspace";
  if (holds(kNoUpper, f.state_magic))
    return "the state folder lies on " + filesystem_name(f.state_magic);
  if (f.idmapped && holds(kNoIdmap, f.workspace_magic))
    return "the workspace lies on " + filesystem_name(f.workspace_magic) +
           ", which cannot be shown under another user id";
  if (f.refused) return "the kernel refused an overlay there";
  return {};
}

bool is_overlay_refusal(std::string_view step, int error) {
  constexpr std::array kErrors{EINVAL, EOPNOTSUPP, ENODEV, EPERM, ENOSYS};
  return step == "overlays" && std::find(kErrors.begin(), kErrors.end(), error) != kErrors.end();
}

}  // namespace codexos::daemon
