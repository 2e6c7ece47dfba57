// SPDX-License-Identifier: Apache-2.0
// Tasks without namespaces (--isolation landlock): what of a request they cannot do, and what of
// the view they may reach. Pure but for what Host answers. Paths are the host's: what the view
// would show at its own place is a rule, what it would cover cannot be covered, and what it would
// make, private folders, lies in the task's folder.
#pragma once

#include <string>
#include <vector>

#include "core/base/landlock_plan.h"
#include "core/os/host.h"
#include "core/wire/task.h"
#include "daemon/sandbox/sandbox.h"

namespace codexos::daemon {

/// Error invalid, with the option and the reason: such a task cannot have that. `root`: of a root
/// daemon, whose tasks have a user of their own.
Status check_for_landlock(const wire::TaskCreate& c, bool root);
/// Error unavailable: this kernel cannot keep such a task in. `abi`: Landlock's.
Status check_landlock_abi(int abi);

/// Where the task's own things are.
struct LandlockPlaces {
  std::string private_dir;  // has home and tmp
  std::string state_home;   // never within a rule
  std::string home_inside;  // what the view calls HOME
};
inline std::string private_home(const LandlockPlaces& p) { return p.private_dir + "/home"; }
inline std::string private_tmp(const LandlockPlaces& p) { return p.private_dir + "/tmp"; }

/// One rule for each thing of the view and of the task's mounts. Error denied: something in them
/// cannot be kept from it, or not shown at that place.
Result<std::vector<PathRule>> landlock_rules(const View& view, const std::vector<Mount>& mounts,
                                             const LandlockPlaces& places, const Host& host);
/// What is put into the private home: files, and links to what the view shows there. `target` is
/// relative to it.
std::vector<Mount> landlock_home(const View& view, const LandlockPlaces& places);

/// What such a task does not have, for its notes.
std::vector<std::string> landlock_notes(const LandlockPlaces& places);

}  // namespace codexos::daemon
