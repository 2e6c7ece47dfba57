// SPDX-License-Identifier: Apache-2.0
#include "cli/agent_query.h"

#include "cli/environment.h"
#include "cli/tasks.h"
#include "cli/values.h"
#include "core/json/json.h"

namespace codexos::cli {

Result<wire::AgentQuery> make_agent_query(const std::string& name) {
  wire::AgentQuery q;
  const Variables env = read_environment();
  q.caller_env = caller_variables(env);
  if (const auto at = env.find("XDG_CONFIG_HOME"); at != env.end())
    q.caller_env["XDG_CONFIG_HOME"] = at->second;
  CODEXOS_ASSIGN(q.cwd, current_folder());
  const auto home = env.find("HOME");
  const bool is_path = name.find('/') != std::string::npos || name.ends_with(".yaml");
  q.name = is_path ? absolute_path(name, q.cwd, home == env.end() ? "" : home->second) : name;
  return q;
}

Result<std::string> ask_for_agents(Client& client, const std::string& name) {
  CODEXOS_ASSIGN(const auto query, make_agent_query(name));
  return client.call(
      Request{"POST", "/v1/agents/query", {}, json::encode(query, json::Defaults::omit)});
}

Result<wire::AgentList> find_agents(Client& client, const std::string& name) {
  CODEXOS_ASSIGN(const std::string body, ask_for_agents(client, name));
  return json::decode<wire::AgentList>(body, json::Unknown::ignore);
}

}  // namespace codexos::cli
