// SPDX-License-Identifier: Apache-2.0
// Base64 (RFC 4648 section 4).
#pragma once

#include <string>
#include <string_view>

#include "core/base/error.h"

namespace codexos {

std::string encode_base64(std::string_view bytes);
/// Error invalid: a character outside of the alphabet, or a wrong length.
Result<std::string> decode_base64(std::string_view text);

}  // namespace codexos
