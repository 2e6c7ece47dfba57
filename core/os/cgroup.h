// SPDX-License-Identifier: Apache-2.0
// Cgroups as file systems: where they are mounted, and where a process is in them. Version 2 is one
// hierarchy (Documentation/admin-guide/cgroup-v2.rst), version 1 one for each controller or several
// (Documentation/admin-guide/cgroup-v1).
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"

namespace codexos {

struct CgroupMount {
  std::string path;
  std::string root;  // which cgroup is shown there: "/", or a container's
  bool v2 = false;
  std::vector<std::string> options;             // version 1: its controllers are among them
  bool has(std::string_view controller) const;  // version 1
};

/// From the text of mountinfo (proc(5)), version 1 first.
std::vector<CgroupMount> parse_cgroup_mounts(const std::string& mountinfo);
/// Of this process.
std::vector<CgroupMount> cgroup_mounts();

/// The folder of the cgroup that `pid` is in, as far as the mount shows it; empty: it is gone, or
/// in none of them.
std::string cgroup_folder(const CgroupMount& mount, pid_t pid);
/// The same from the text of /proc/PID/cgroup (cgroups(7)).
std::string parse_cgroup_folder(const CgroupMount& mount, const std::string& text);

/// Writes a file of a cgroup at once, as its format wants it.
Status write_cgroup(const std::string& file, const std::string& text);

/// The number in "KEY NUMBER\n" lines, or of the only line when `key` is empty; 0: there is none.
uint64_t cgroup_number(std::string_view text, std::string_view key);

}  // namespace codexos
