// SPDX-License-Identifier: Apache-2.0
// What a container has to be started with so that tasks run in it, by its engine. Docker's lines
// were tried (20.10, as root and as an ordinary user inside).
#pragma once

#include <string>
#include <vector>

#include "daemon/doctor/facts.h"

namespace codexos::daemon {

/// User namespaces, mounts in them, and a /proc without covers; for root also what it needs to show
/// folders under another user id.
std::vector<std::string> isolation_fix(const HostFacts& f);
/// A state folder that does not lie on the container's own overlay.
std::vector<std::string> volume_fix(const HostFacts& f);
/// Cgroups that can be written to.
std::vector<std::string> container_cgroup_fix(const HostFacts& f);

}  // namespace codexos::daemon
