// SPDX-License-Identifier: Apache-2.0
// Where paths of the inside are on the host, judged by the list of mounts alone.
#pragma once

#include <string>
#include <vector>

#include "core/base/plan.h"
#include "core/os/host.h"

namespace codexos::daemon {

/// Mounts in the order they are made, in several lists: nothing is copied.
using MountLists = std::vector<const std::vector<Mount>*>;

/// Where the path of the inside is on the host, judged by `mounts` alone; false: it does not exist
/// inside, or only inside (a tmpfs).
bool host_path_of(const std::string& inside, const MountLists& mounts, const Host& host,
                  PathFact& out);
/// The mount that decides what is at `target`: the last one that covers it.
const Mount* mount_at(const std::string& target, const MountLists& mounts);

}  // namespace codexos::daemon
