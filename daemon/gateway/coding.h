// SPDX-License-Identifier: Apache-2.0
// Bodies of requests that came in a content coding (RFC 9110, 8.4). zstd.h's home.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "core/base/error.h"

namespace codexos::daemon {

/// Whether a Content-Encoding says that there is one.
bool is_coded(std::string_view coding);
/// `coding`: "zstd" (RFC 8878). Error unsupported: another one; invalid: it is broken, or more than
/// `most` bytes.
Result<std::string> decode_body(std::string_view coding, std::string_view bytes, size_t most);

}  // namespace codexos::daemon
