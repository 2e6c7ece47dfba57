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
//
// What tasks see has placeholders where the preset names tokens; they stay the same for as long as
// the login is shared, whatever the tokens are. The tokens stay in the user's own file: the egress
// puts them in, and keeps the new ones there when they are refreshed.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/secret.h"
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
/// `tasks_run`: a file that a task may be writing just now is left for the next time.
Status sync_login(const std::string& state_home, const std::string& agent, bool tasks_run = false);
/// What the placeholders of a shared login stand for.
struct LoginToken {
  std::string path;  // "a.b"
  std::string placeholder;
  Secret value;  // empty: the login has none of it now
  PresetUse use;
};
struct LoginTokens {
  std::vector<LoginToken> tokens;  // by path
  std::vector<PresetRefresh> refresh;
};
/// None: it is not shared, or its preset names none. Error: the user's own file, and what is wrong.
Result<LoginTokens> read_login_tokens(const std::string& state_home, const std::string& agent);
/// New tokens, by path, for the user's own file. From any thread; waits for the disk.
Status keep_login_tokens(const std::string& state_home, const std::string& agent,
                         const std::map<std::string, Secret>& fresh);

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
