// SPDX-License-Identifier: Apache-2.0
// What a start with --ssh-key gets: an agent of the task's own (daemon/ssh/), which signs with the
// chosen keys of the user's agent for the chosen hosts, and the lines of known_hosts by which the
// user knows them.
#pragma once

#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/fd.h"
#include "core/base/plan.h"
#include "core/os/host.h"
#include "core/wire/task.h"
#include "daemon/ssh/access.h"

namespace codexos::daemon {

/// Where the folder of its agent's socket is inside, and the socket's name there.
inline constexpr const char* kSshInside = "/run/codexos/ssh";
inline constexpr const char* kSshSocket = "agent.sock";
/// Below HOME.
inline constexpr const char* kKnownHosts = ".ssh/known_hosts";

struct SshParts {
  SshAccessPtr access;             // null: none was asked for
  std::string known_hosts;         // lines for ~/.ssh/known_hosts
  std::vector<std::string> hosts;  // rules of what it has to reach
};

/// Of the caller's known_hosts and the system's. Error invalid: no key, no host, or one that is not
/// known.
Result<SshParts> give_ssh_keys(const wire::TaskCreate& create, const Caller& caller,
                               const Host& host);
/// The same of a task that runs, whose lines were kept.
Result<SshAccessPtr> ssh_access(const wire::TaskCreate& create, const std::string& known_hosts);

/// Makes the folder and the socket in it, in place of one that an earlier daemon left.
Result<Fd> listen_for_ssh(const std::string& folder);
/// What shows the task `folder`.
Mount show_ssh(const std::string& folder);

}  // namespace codexos::daemon
