// SPDX-License-Identifier: Apache-2.0
// Whether the bytes of a name are text (RFC 3629).
#pragma once

#include <cstddef>
#include <string_view>

namespace codexos {

/// How long the UTF-8 sequence at the start of `s` (not empty) is; 0: it is none.
size_t utf8_length(std::string_view s);
bool is_utf8(std::string_view s);

}  // namespace codexos
