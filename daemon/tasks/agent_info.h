// SPDX-License-Identifier: Apache-2.0
// What can be said about agents without starting one: their presets, programs and logins.
#pragma once

#include <string>

#include "core/base/error.h"
#include "core/os/host.h"
#include "core/wire/agent.h"

namespace codexos::daemon {

/// All agents, or the one that the query names. A preset that cannot be read is in the list, with
/// the reason; asked for by name it is an error. `caller.env` holds PATH and XDG_CONFIG_HOME.
Result<wire::AgentList> describe_agents(const wire::AgentQuery& q, const Caller& caller,
                                        const std::string& state_home, const Host& host);
/// Shares the caller's login of an agent with its tasks. What it is now.
Result<wire::AgentLogin> share_agent_login(const std::string& agent, const Caller& caller,
                                           const std::string& state_home);

}  // namespace codexos::daemon
