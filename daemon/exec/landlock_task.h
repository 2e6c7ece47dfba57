// SPDX-License-Identifier: Apache-2.0
// A task without namespaces (--isolation landlock). Nothing of the kernel ends its processes when
// the shim ends, so there are two of us:
//
//   keeper  the process that the daemon started and knows. It holds the lock of `alive`, judges
//           changes of modes and times (path_guard.h), and stays until nothing of the task is left:
//           when the shim is gone, however, it kills what that left. SIGUSR1 from the daemon means:
//           now.
//   shim    its child, as in every other task: stdio, limits, record. When the keeper is killed it
//           stops the task as if the machine went down.
//
// Only who kills both at once leaves processes behind, in their walls still.
#pragma once

namespace codexos::exec {

/// The link to the daemon on descriptor 3; returns the exit code of the process.
int run_landlock();

}  // namespace codexos::exec
