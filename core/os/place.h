// SPDX-License-Identifier: Apache-2.0
// Where the state folder is: a pure function of uid and CODEXOS_HOME (cli contract "Files and
// configuration"). Used alike by CLI and daemon. Reads /etc/passwd directly (no NSS).
#pragma once

#include <sys/types.h>

#include <string>

#include "core/base/error.h"

namespace codexos {

inline constexpr const char* kStateOfRoot = "/var/lib/codexos";
inline constexpr const char* kStateBelowHome = "/.local/state/codexos";
inline constexpr const char* kSocketBelowState = "/codexosd.sock";

struct Place {
  std::string home;    // the state folder
  std::string socket;  // home + kSocketBelowState
};

/// `codexos_home` and `home_env`: values of CODEXOS_HOME and HOME, or null. Error invalid when no
/// home can be found or CODEXOS_HOME is not absolute.
Result<Place> find_place(uid_t uid, const char* codexos_home, const char* home_env);

/// The home folder in the uid's line of `passwd_text` (passwd(5)), or empty.
std::string home_of_uid(std::string_view passwd_text, uid_t uid);
/// The user name in the uid's line, or empty.
std::string name_of_uid(std::string_view passwd_text, uid_t uid);

}  // namespace codexos
