// SPDX-License-Identifier: Apache-2.0
// codexos-exec --probe: tries, one after the other and each in a child of its own, what a sandbox
// is made of, and tells which step failed. Done by this program since an AppArmor profile is its
// alone, and with the calls that tasks are built with. Nothing stays: what is mounted goes with the
// children's namespaces, the folder that the overlay is tried in is removed.
#pragma once

#include "core/base/probe.h"

namespace codexos::exec {

KernelProbe probe_kernel(const ProbeRequest& r);

/// Reads the request from standard input, writes the answer. The exit code.
int run_probe();

}  // namespace codexos::exec
