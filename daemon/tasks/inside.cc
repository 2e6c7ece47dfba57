// SPDX-License-Identifier: Apache-2.0
#include "daemon/tasks/inside.h"

#include <algorithm>

#include "core/base/path.h"
#include "core/policy/check.h"
#include "daemon/sandbox/mount_paths.h"

namespace codexos::daemon {
namespace {

/// Same folder, and the name fits.
bool covers(const std::string& pattern, const std::string& path) {
  return policy::fits(pattern, path) && parent_path(pattern) == parent_path(path);
}

}  // namespace

bool InsideView::is_hidden(const std::string& path) const {
  for (std::string p = path; p != "/"; p = parent_path(p))
    if (std::any_of(hide_.begin(), hide_.end(),
                    [&p](const std::string& h) { return covers(h, p); }))
      return true;
  return false;
}

bool InsideView::finds(const std::string& path) const {
  // Something made for the task, or a folder that leads to it. Covers show nothing.
  for (const auto& m : mounts_) {
    const bool is_cover =
        m.kind == MountKind::hide || (m.kind == MountKind::tmpfs && m.role == MountRole::shown);
    if (!is_cover && path_within(m.target, path)) return true;
  }
  PathFact fact;
  return host_path_of(path, {&mounts_}, host_, fact);
}

Sight InsideView::sight(const std::string& path) const {
  PathFact fact;
  if (!host_.lookup(path, fact)) return Sight::absent;
  if (is_hidden(path) || is_hidden(fact.path)) return Sight::hidden;
  Sight out = Sight::not_shown;
  for (size_t i = 0; i < mounts_.size(); ++i) {
    const Mount& m = mounts_[i];
    if (m.kind != MountKind::bind || !path_within(fact.path, m.source)) continue;
    // Something that was mounted later lies over it.
    const std::string at = m.target + fact.path.substr(m.source == "/" ? 0 : m.source.size());
    const bool covered = std::any_of(
        mounts_.begin() + static_cast<std::ptrdiff_t>(i) + 1, mounts_.end(), [&at](const Mount& c) {
          return (c.kind == MountKind::hide || c.kind == MountKind::tmpfs) &&
                 path_within(at, c.target);
        });
    if (covered) continue;
    const bool writable = !m.read_only;
    if (writable || out != Sight::writable) out = writable ? Sight::writable : Sight::read_only;
  }
  return out;
}

}  // namespace codexos::daemon
