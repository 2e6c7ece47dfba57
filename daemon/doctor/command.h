// SPDX-License-Identifier: Apache-2.0
// codexosd doctor: the checks without a daemon, for when none can begin. Changes nothing.
#pragma once

#include "core/base/error.h"
#include "daemon/doctor/gather.h"

namespace codexos::daemon {

/// The report as JSON on standard output.
Status write_report(const GatherOptions& o);

}  // namespace codexos::daemon
