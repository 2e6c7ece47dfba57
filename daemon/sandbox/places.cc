// SPDX-License-Identifier: Apache-2.0
// Where a task's own mounts go: onto something of its own, onto what the host has there, or into
// the part of the view that all its tasks share.
#include <algorithm>

#include "core/base/path.h"
#include "daemon/sandbox/view_parts.h"

namespace codexos::daemon {
namespace {

bool holds_files(const Mount& m) {
  return m.kind != MountKind::symlink && m.kind != MountKind::dir && m.kind != MountKind::file &&
         m.kind != MountKind::hide;
}

/// Calls see(target, mount or null for an overlay, what it lies in) for each of the job, in the
/// order in which they are put.
template <class See>
void each_target(const View& view, const Job& job, See see) {
  std::vector<const Mount*> own;
  std::vector<const std::string*> overlays;
  const auto container = [&](const std::string& target) -> const Mount* {
    for (const auto* path : overlays)
      if (path_within(target, *path)) return nullptr;
    for (const Mount* m : own)
      if (path_within(target, m->target)) return nullptr;
    const Mount* found = nullptr;
    for (const auto& m : view.mounts)
      if (holds_files(m) && path_within(target, m.target)) found = &m;
    return found;
  };
  for (const auto& m : job.mounts) {
    if (const Mount* in = container(m.target)) see(m.target, &m, *in);
    if (holds_files(m)) own.push_back(&m);
  }
  for (const auto& o : job.overlays) {
    if (const Mount* in = container(o.target)) see(o.target, nullptr, *in);
    overlays.push_back(&o.target);
  }
}

bool has_place(const View& view, const std::string& target) {
  return std::any_of(view.mounts.begin(), view.mounts.end(), [&](const Mount& m) {
    return m.target == target && (m.kind == MountKind::dir || holds_files(m));
  });
}

bool is_folder(const Mount& m, const Host& host) {
  if (m.kind == MountKind::tmpfs || m.kind == MountKind::dir) return true;
  if (m.kind != MountKind::bind) return false;
  PathFact fact;
  return !host.lookup(m.source, fact) || fact.is_dir;  // what is made for the task are folders
}

}  // namespace

std::vector<std::string> places_in_root(const View& view, const Job& job, const Host& host) {
  std::vector<std::string> out;
  each_target(view, job, [&](const std::string& target, const Mount* m, const Mount& in) {
    if (in.target == "/" && !has_place(view, target) && (m == nullptr || is_folder(*m, host)))
      out.push_back(target);
  });
  return out;
}

bool needs_own_units(const View& view, const Job& job) {
  bool found = false;
  each_target(view, job, [&](const std::string& target, const Mount*, const Mount& in) {
    found = found || is_unit(in) || (in.target == "/" && !has_place(view, target));
  });
  return found;
}

}  // namespace codexos::daemon
