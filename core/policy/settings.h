// SPDX-License-Identifier: Apache-2.0
// The variables CODEXOS_* that are settings. The command line sends those that are set; the daemon
// reads them as policies, above all files and below the options.
#pragma once

#include <array>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/policy/resolve.h"

namespace codexos::policy {

struct Setting {
  std::string_view variable;
  std::string_view help;
};
inline constexpr std::array kSettings{
    Setting{"CODEXOS_POLICY", "as --policy"},
    Setting{"CODEXOS_PROFILE", "as --profile"},
    Setting{"CODEXOS_SHOW", "as --show; several, separated by commas"},
    Setting{"CODEXOS_NET", "as --net"},
    Setting{"CODEXOS_ALLOW", "as --allow; several, separated by commas"},
    Setting{"CODEXOS_ISOLATION", "as --isolation"},
    Setting{"CODEXOS_SECCOMP", "as --seccomp"},
    Setting{"CODEXOS_TIMEOUT", "as --timeout"},
    Setting{"CODEXOS_IDLE_TIMEOUT", "as --idle-timeout"},
    Setting{"CODEXOS_MEMORY", "as --memory"},
    Setting{"CODEXOS_CPUS", "as --cpus"},
    Setting{"CODEXOS_CPU_TIME", "as --cpu-time"},
    Setting{"CODEXOS_PIDS", "as --pids"},
    Setting{"CODEXOS_DISK", "as --disk"},
    Setting{"CODEXOS_OPEN_FILES", "as limits.open_files of a policy"},
    Setting{"CODEXOS_LOG", "as limits.log of a policy"},
    Setting{"CODEXOS_ENV", "variables to pass on, separated by commas: NAME, PREFIX*"},
};

struct Settings {
  std::string file;     // CODEXOS_POLICY as it is
  std::string profile;  // CODEXOS_PROFILE
  std::vector<Said> said;
};
/// Empty values say nothing. Error invalid: a name that is no setting, or a wrong value.
Result<Settings> read_settings(const std::map<std::string, std::string>& variables);

}  // namespace codexos::policy
