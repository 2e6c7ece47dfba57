// SPDX-License-Identifier: Apache-2.0
// Agents and their logins. What is found depends on who asks, so the questions carry the caller's
// HOME and PATH.
#include "core/os/host.h"
#include "daemon/agents/login.h"
#include "daemon/api/api.h"
#include "daemon/tasks/agent_info.h"

namespace codexos::daemon {
namespace {

Result<Caller> caller_of(ApiParts& parts, const Call& call, const wire::AgentQuery& q) {
  return parts.planner.make_caller(q.caller_env, call.who().uid, call.who().gid);
}

Result<wire::AgentList> described(ApiParts& parts, const Call& call) {
  CODEXOS_ASSIGN(const auto query, decode_body<wire::AgentQuery>(call));
  CODEXOS_ASSIGN(const Caller caller, caller_of(parts, call, query));
  return describe_agents(query, caller, parts.place.home, real_host());
}
void query(ApiParts& parts, const CallPtr& call) { answer(*call, described(parts, *call)); }

Result<wire::AgentLogin> shared(ApiParts& parts, const Call& call) {
  CODEXOS_ASSIGN(const auto query, decode_body<wire::AgentQuery>(call));
  CODEXOS_ASSIGN(const Caller caller, caller_of(parts, call, query));
  return share_agent_login(std::string(call.param(0)), caller, parts.place.home);
}
void share(ApiParts& parts, const CallPtr& call) { answer(*call, shared(parts, *call)); }

void revoke(ApiParts& parts, const CallPtr& call) {
  const std::string name(call->param(0));
  // A name is a folder's name below the state folder, so it is looked at first.
  if (name.empty() || name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-_") != name.npos)
    return call->fail(Error{Code::not_found, "there is no agent \"" + name + "\"",
                            "codexos agent login-share --list"});
  if (auto s = revoke_login(parts.place.home, name); !s.ok()) return call->fail(s.error());
  wire::AgentLogin out;
  out.agent = name;
  out.state = "not shared";
  call->reply_with(200, out);
}

}  // namespace

ApiRoutes agent_routes() {
  return {
      {"POST", "/v1/agents/query", "Agents, as the caller in the body finds them",
       json_of<wire::AgentQuery>("AgentQuery"), json_of<wire::AgentList>("AgentList"), query},
      {"POST", "/v1/agents/{name}/login", "Share the caller's login with this agent's tasks",
       json_of<wire::AgentQuery>("AgentQuery"), json_of<wire::AgentLogin>("AgentLogin"), share},
      {"DELETE", "/v1/agents/{name}/login", "Share it no more", kNone,
       json_of<wire::AgentLogin>("AgentLogin"), revoke},
  };
}

}  // namespace codexos::daemon
