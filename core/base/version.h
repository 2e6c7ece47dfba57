// SPDX-License-Identifier: Apache-2.0
// The version, and the id of the build: CLI, daemon and helper of one build share it.
#pragma once
namespace codexos {
extern const char* const kVersion;
extern const char* const kBuildId;
}  // namespace codexos
