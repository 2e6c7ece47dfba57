// SPDX-License-Identifier: Apache-2.0
// Amounts of money as whole millionths of a US dollar.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/error.h"

namespace codexos {

inline constexpr uint64_t kMicrosPerDollar = 1'000'000;

/// "2", "0.25", "$1.50": at most six digits behind the point, at most a billion dollars. Error
/// invalid.
Result<uint64_t> parse_money(std::string_view text);
/// "$1.50", "$0.000012": at least two digits behind the point, and no more than are needed.
std::string format_money(uint64_t micros);

}  // namespace codexos
