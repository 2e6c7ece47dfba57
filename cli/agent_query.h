// SPDX-License-Identifier: Apache-2.0
// Asking the daemon for agents, as the caller finds them.
#pragma once

#include <string>

#include "cli/client.h"
#include "core/wire/agent.h"

namespace codexos::cli {

/// The caller's HOME, PATH and folder; `name` empty: all agents, else a name or a preset's path.
Result<wire::AgentQuery> make_agent_query(const std::string& name);
/// The reply's body.
Result<std::string> ask_for_agents(Client& client, const std::string& name);
Result<wire::AgentList> find_agents(Client& client, const std::string& name);

}  // namespace codexos::cli
