// SPDX-License-Identifier: Apache-2.0
// Times and sizes as people write them: "90s", "1h30m", "500ms" (a bare number means seconds), and
// "2GiB", "500MB", "64k" (a bare number means bytes).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/error.h"

namespace codexos {

/// Milliseconds. Error invalid: it is no time, or longer than a hundred years.
Result<uint64_t> parse_duration(std::string_view text);
/// The shortest text that parse_duration() reads back as the same: "1h30m"; 0 is "0".
std::string duration_text(uint64_t ms);

/// Bytes. KB, MB, ... are powers of 1000 (as in GNU tools), K, M, KiB, MiB, ... of 1024. Error
/// invalid.
Result<uint64_t> parse_size(std::string_view text);
/// The shortest text in powers of 1024 that parse_size() reads back as the same: "512MiB".
std::string bytes_text(uint64_t bytes);

}  // namespace codexos
