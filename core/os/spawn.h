// SPDX-License-Identifier: Apache-2.0
// Starting another program without fork: posix_spawn(3). The child gets exactly the descriptors
// that are listed, default signal dispositions and an empty mask.
#pragma once

#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/base/fd.h"

namespace codexos {

struct SpawnOptions {
  std::string path;
  std::vector<std::string> argv;
  std::vector<std::string> env;
  std::vector<std::pair<int, int>>
      fds;  // (ours, number in the child); 0, 1, 2 default to /dev/null
  bool new_session = false;
  std::string cwd;  // empty: ours
};
/// The child's pid. The caller reaps it.
Result<pid_t> spawn(const SpawnOptions& o);

/// pidfd_open(2).
Result<Fd> open_pidfd(pid_t pid);
/// Field 22 of /proc/PID/stat (proc(5)), clock ticks since boot; 0 when the process is gone.
uint64_t process_start_time(pid_t pid);
/// /proc/sys/kernel/random/boot_id without newline.
std::string boot_id();

}  // namespace codexos
