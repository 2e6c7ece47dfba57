// SPDX-License-Identifier: Apache-2.0
// What is wrong with the values of a policy that the types do not tell: times that are none, rules
// that cannot be read, what this version lacks. Pure.
#pragma once

#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/policy/policy.h"

namespace codexos::policy {

/// Where a policy stands decides what it may say.
enum class Rank {
  system,   // /etc/codexos/config.yaml
  user,     // $XDG_CONFIG_HOME/codexos/config.yaml
  project,  // .codexos.yaml at the top of a workspace
  given,    // --policy FILE
};

struct Finding {
  std::string path;  // of the field: "profiles.ci.limits.timeout", "allow[2]"
  std::string message;
  std::string hint;
};

std::vector<Finding> check(const PolicyFile& file, Rank rank);
/// One policy, whose fields are at `path` ("" or "ceiling").
std::vector<Finding> check(const Policy& p, const std::string& path, Rank rank);

/// "AWS_*" fits "AWS_REGION"; without '*' names are equal.
bool fits(std::string_view pattern, std::string_view name);

}  // namespace codexos::policy
