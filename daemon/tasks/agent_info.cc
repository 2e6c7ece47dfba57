// SPDX-License-Identifier: Apache-2.0
#include "daemon/tasks/agent_info.h"

#include "daemon/agents/find.h"
#include "daemon/agents/login.h"
#include "daemon/agents/preset.h"

namespace codexos::daemon {
namespace {

std::string folder_for(const Caller& caller) {
  const auto at = caller.env.find("XDG_CONFIG_HOME");
  return preset_folder(at == caller.env.end() ? "" : at->second, caller.home);
}

wire::AgentView describe(const Preset& p, const Caller& caller, const std::string& state_home,
                         const Host& host) {
  wire::AgentView v;
  v.name = p.name;
  v.about = p.about;
  v.preset = p.source;
  v.program = find_program(p, caller, host).path;
  v.looked_in = places_of(p, caller, host);
  v.job = p.job;
  v.resume = p.resume;
  v.interactive = p.interactive;
  v.env = p.env;
  v.folders = p.folders;
  v.hosts = p.hosts;
  v.keys = p.keys;
  v.events = p.events;
  v.inner_sandbox = name_of(p.inner_sandbox);
  v.idle_timeout_ms = p.idle_timeout_s * 1000;
  if (p.login) v.login = describe_login(*p.login, state_home, p.name, caller.home);
  return v;
}

}  // namespace

Result<wire::AgentList> describe_agents(const wire::AgentQuery& q, const Caller& caller,
                                        const std::string& state_home, const Host& host) {
  const std::string folder = folder_for(caller);
  wire::AgentList out;
  if (!q.name.empty()) {
    CODEXOS_ASSIGN(const Preset p, load_preset(q.name, folder));
    out.agents.push_back(describe(p, caller, state_home, host));
    return out;
  }
  for (const auto& name : preset_names(folder)) {
    const auto p = load_preset(name, folder);
    if (p.ok()) {
      out.agents.push_back(describe(*p, caller, state_home, host));
      continue;
    }
    out.agents.emplace_back().name = name;
    out.agents.back().error = p.error().message;
  }
  return out;
}

Result<wire::AgentLogin> share_agent_login(const std::string& agent, const Caller& caller,
                                           const std::string& state_home) {
  CODEXOS_ASSIGN(const Preset p, load_preset(agent, folder_for(caller)));
  if (!p.login)
    return Error{
        Code::invalid, "agent " + p.name + " has no login file: it takes a key",
        p.keys.empty() ? "" : "codexos run -a " + p.name + " -e " + p.keys.front() + " ..."};
  CODEXOS_TRY(share_login(*p.login, state_home, p.name, caller.home));
  return describe_login(*p.login, state_home, p.name, caller.home);
}

}  // namespace codexos::daemon
