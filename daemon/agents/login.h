// SPDX-License-Identifier: Apache-2.0
// A login that the user shared with an agent's tasks (codexos agent login-share): one folder a
// login,
//
//   <state>/logins/<agent>/files/<name>   what tasks see, read-write, all tasks of that agent the
//   same <state>/logins/<agent>/share.json     whose file it is, and what both held when they last
//   agreed <state>/logins/<agent>/lock           flock: one side is written at a time
//
// A refresh token is used once, so there is one copy for everybody: a refresh inside is written
// back to the user's own file, a login outside is carried in. Only the members that the preset
// names are shared. What a task wrote is not trusted: no link is followed, and what is no login of
// that shape goes nowhere.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/wire/agent.h"
#include "daemon/agents/preset.h"

namespace codexos::daemon {

/// Where the folder is inside.
inline constexpr const char* kLoginInside = "/run/codexos/login";

std::string login_files(const std::string& state_home, const std::string& agent);
bool login_is_shared(const std::string& state_home, const std::string& agent);

/// The user's own file is that of `home`. Error not_found: there is no login; invalid: not of the
/// shape that the preset says.
Status share_login(const PresetLogin& login, const std::string& state_home,
                   const std::string& agent, const std::string& home);
/// Tasks that run keep what they have until they end.
Status revoke_login(const std::string& state_home, const std::string& agent);
/// Carries the newer side to the other one. Error: nothing was carried, and why. Blocks for a few
/// small files.
Status sync_login(const std::string& state_home, const std::string& agent);
/// What an agent's folder has at `link`: a link to the shared login, or, with `shared` false,
/// nothing of the kind. A file that the agent put in its place is taken over as a refresh.
Status place_login_link(const PresetLogin& login, const std::string& state_home,
                        const std::string& agent, const std::string& folders, bool shared);

/// After a task: what its agent put in place of the link, and sync_login().
Status settle_login(const std::string& state_home, const std::string& agent,
                    const std::string& folders);

wire::AgentLogin describe_login(const PresetLogin& login, const std::string& state_home,
                                const std::string& agent, const std::string& home);

}  // namespace codexos::daemon
