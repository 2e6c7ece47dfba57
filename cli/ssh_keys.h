// SPDX-License-Identifier: Apache-2.0
// --ssh-key KEY=HOST: finds the key among those of the caller's SSH agent (ssh-agent(1)), by its
// file or by its comment. The daemon is told the public key, and where the agent is.
#pragma once

#include "cli/args.h"
#include "cli/environment.h"
#include "core/base/error.h"
#include "core/wire/task.h"

namespace codexos::cli {

/// Error invalid: no such key, or several; unavailable: there is no agent.
Status fill_ssh_keys(const Invocation& inv, const Variables& env, wire::TaskCreate& c);

}  // namespace codexos::cli
