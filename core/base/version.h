// SPDX-License-Identifier: Apache-2.0
// The version, the id of the build (CLI, daemon and helper of one build share it), and its time.
#pragma once

#include <cstdint>

namespace codexos {
extern const char* const kVersion;
extern const char* const kBuildId;
extern const int64_t kBuiltAt;  // seconds since the epoch; SOURCE_DATE_EPOCH where that is set
}  // namespace codexos
