// SPDX-License-Identifier: Apache-2.0
// Who descends from whom. A process whose parent ends gets another one, so that a chain of parents
// may break while it is walked; that is told, never guessed.
#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <vector>

namespace codexos {

/// Field 4 of /proc/PID/stat (proc(5)); nothing when the process is gone. 0: it has none here.
std::optional<pid_t> real_parent_of(pid_t pid);

/// Whether `pid` is one of `ancestors` or descends from one. Nothing: the chain broke, several
/// times.
std::optional<bool> descends_from(pid_t pid, const std::vector<pid_t>& ancestors,
                                  const std::function<std::optional<pid_t>(pid_t)>& parent_of);

}  // namespace codexos
