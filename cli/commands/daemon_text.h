// SPDX-License-Identifier: Apache-2.0
// wire::DaemonStatus in words, for status and daemon status.
#pragma once

#include <string>

#include "cli/client.h"
#include "core/wire/daemon.h"

namespace codexos::cli {

std::string daemon_text(const wire::DaemonStatus& s);
/// GET /v1/status without starting a daemon; nothing: none answers. Other errors are errors.
Result<std::optional<wire::DaemonStatus>> find_daemon(Context& ctx);

}  // namespace codexos::cli
