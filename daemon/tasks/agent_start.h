// SPDX-License-Identifier: Apache-2.0
// From `run -a AGENT "JOB"` to a command line, an environment and mounts: puts a preset and the
// host together. First find_agent(), whose program decides what the view shows, then, when
// workspace and earlier task are known, add_agent().
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/plan.h"
#include "core/os/host.h"
#include "core/wire/task.h"
#include "daemon/agents/find.h"
#include "daemon/agents/preset.h"
#include "daemon/store/store.h"

namespace codexos::daemon {

inline bool asks_for_agent(const wire::TaskCreate& c) {
  return !c.agent.empty() || !c.prompt.empty();
}

struct FoundAgent {
  Preset preset;
  FoundProgram program;
};
/// Error not_found: no such preset, or its program is nowhere.
Result<FoundAgent> find_agent(const wire::TaskCreate& create, const Caller& caller,
                              const std::string& config_home, const Host& host);

struct AgentPlace {
  std::string state_home;
  std::string workspace;             // empty: none
  std::string home;                  // inside
  const TaskRow* from = nullptr;     // the task it starts from
  const TaskRow* earlier = nullptr;  // the last one of this agent here, when one is to be continued
  std::string key;                   // the variable that holds its key; empty: none does
  bool placeholders = false;         // of the key
};
/// What an agent adds to a job.
struct AgentParts {
  std::vector<std::string> argv;
  std::map<std::string, std::string> env;  // below what the user sets
  std::vector<Mount> mounts;
  std::vector<std::string> notes;
  std::string on_failure;  // what may be the reason when it fails; empty: nothing known
  wire::AgentRecord record;
};
/// The variable of `env` that holds the agent's key; empty: none does.
std::string key_of(const Preset& p, const std::map<std::string, std::string>& env);
/// Makes the agent's folders, when they are not there yet.
Result<AgentParts> add_agent(const FoundAgent& agent, const wire::TaskCreate& create,
                             const AgentPlace& place);

/// Covers for `.env` files that are neither shown by name nor in git.
std::vector<Mount> cover_env_files(const std::string& workspace,
                                   const std::vector<std::string>& show, const Host& host,
                                   std::vector<std::string>& notes);

/// Where an agent's folders of one workspace are kept.
std::string agent_folder(const std::string& state_home, const std::string& workspace,
                         const std::string& agent);

}  // namespace codexos::daemon
