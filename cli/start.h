// SPDX-License-Identifier: Apache-2.0
// Starting the daemon: once, whoever else tries at the same time, and so that it keeps nothing of
// the caller.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/fd.h"
#include "core/os/place.h"
#include "core/os/spawn.h"

namespace codexos::cli {

/// Connects to the daemon of `place`, starting it when nobody listens. Under home/start.lock only
/// one starts; the others wait for it. Error unavailable with the daemon's own words when it cannot
/// start, timeout after five seconds.
/// `Start::if_allowed` obeys CODEXOS_NO_AUTOSTART.
enum class Start { if_allowed, always };
Result<Fd> connect_or_start(const Place& place, Start start);

/// Where codexosd is: $CODEXOS_DAEMON, else beside this program.
Result<std::string> daemon_program();

/// Its program with these arguments and the environment that a daemon gets.
Result<SpawnOptions> daemon_spawn(std::vector<std::string> argv);

}  // namespace codexos::cli
