// SPDX-License-Identifier: Apache-2.0
// What is looked up on the host for an agent: its program, and the files that are hidden from it.
// Pure but for what Host answers.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/os/host.h"
#include "daemon/agents/preset.h"

namespace codexos::daemon {

struct FoundProgram {
  std::string path;    // as it is called: folder and name; empty: not found
  std::string folder;  // its folder when that is not on PATH: the task's PATH begins with it
};
/// On PATH first, then in the preset's places and npm's prefix; of several versions the newest.
FoundProgram find_program(const Preset& p, const Caller& c, const Host& host);
/// The folders that are looked in beside PATH, for messages.
std::vector<std::string> places_of(const Preset& p, const Caller& c, const Host& host);

struct EnvFiles {
  std::vector<std::string> paths;
  bool complete = true;  // false: the folder was too large to be looked through
};
/// `.env` and `.env.*` of a workspace, but for examples and templates: secrets that an agent has no
/// use for. Folders that hold no sources of the user's are not looked into.
EnvFiles find_env_files(const std::string& workspace, const Host& host);

/// Whether git's index (gitformat-index(5), versions 2 and 3) holds a path. Of one that it does not
/// understand nothing is said to be in it.
bool in_git_index(std::string_view index, const std::string& path);

}  // namespace codexos::daemon
