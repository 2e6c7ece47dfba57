// SPDX-License-Identifier: Apache-2.0
// A policy as the text of a policy file, with who said what behind it. What is written here,
// policy_file.h reads back as the same.
#pragma once

#include <string>
#include <vector>

#include "core/policy/resolve.h"

namespace codexos::policy {

/// Keys in their order, one entry a line. `from` stands behind each as a comment, where it is not
/// empty.
std::string policy_text(const std::vector<Source>& sources);

/// Quoted where YAML would read it as something else.
std::string yaml_scalar(const std::string& text);

}  // namespace codexos::policy
