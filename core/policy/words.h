// SPDX-License-Identifier: Apache-2.0
// Paths that a command line names. Pure.
#pragma once

#include <string>
#include <vector>

namespace codexos::policy {

/// Words of all arguments, those of a script too (`sh -c "cat a; ls b"`), and what follows a '=',
/// that are paths: absolute and normal, each once. `home` is what ~ and $HOME mean, `cwd` what
/// relative ones start from.
std::vector<std::string> paths_named(const std::vector<std::string>& argv, const std::string& home,
                                     const std::string& cwd);

}  // namespace codexos::policy
