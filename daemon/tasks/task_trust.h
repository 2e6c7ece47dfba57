// SPDX-License-Identifier: Apache-2.0
// The files of a task's trust stores, in its folder (daemon/sandbox/view_trust.h says where they
// are shown).
#pragma once

#include <string>

#include "core/base/error.h"
#include "daemon/trust/task_ca.h"
#include "daemon/trust/trust_store.h"

namespace codexos::daemon {

/// Makes `folder` and its files. Error of the file system, or of OpenSSL.
Status write_trust(const std::string& folder, const TaskCa& ca, TrustStores& stores);

}  // namespace codexos::daemon
