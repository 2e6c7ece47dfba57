// SPDX-License-Identifier: Apache-2.0
// Policy files: YAML, read strictly. Format: man/codexos-policy.5 and schema/policy.schema.json,
// both drawn from policy.h. An unknown key, a wrong type, a value that means nothing: each is an
// error with file, line, field and what to do. There is no file that counts in part.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/policy/check.h"
#include "core/policy/policy.h"

namespace codexos::policy {

/// No file of a person is larger.
inline constexpr size_t kMaxPolicyBytes = 64 << 10;

struct PolicyText {
  PolicyFile file;              // counts only without problems
  std::vector<Error> problems;  // "file:line: field: what"; all that were found
};

/// `name` is what messages call it.
PolicyText read_policy(std::string_view text, const std::string& name, Rank rank);
/// The same, with the first problem as the error.
Result<PolicyFile> load_policy(std::string_view text, const std::string& name, Rank rank);

}  // namespace codexos::policy
