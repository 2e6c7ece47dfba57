// SPDX-License-Identifier: Apache-2.0
// Asks codexos-exec what this kernel gives.
#pragma once

#include <string>

#include "core/base/error.h"
#include "core/base/probe.h"

namespace codexos::daemon {

/// Waits for the answer, ten seconds at the longest. Error unavailable: it could not be started, or
/// says nothing that can be understood; timeout.
Result<KernelProbe> ask_probe(const std::string& exec_path, const ProbeRequest& r);

}  // namespace codexos::daemon
