// SPDX-License-Identifier: Apache-2.0
// Names of hosts, strictly: what one parser takes for good.com and the next for evil.com must not
// get past either. A name is letters, digits and hyphens in labels (RFC 1123), in lower case, and
// nothing that any program would read as an address.
#pragma once

#include <string>
#include <string_view>

#include "core/base/error.h"

namespace codexos {

/// A name that came from a task (DNS question, SNI, Host) or from a library, in lower case. Error
/// invalid says what is wrong: empty or too long (63 and 253), a character outside of letters,
/// digits and hyphens (NUL, '%', '@', '_', controls, UTF-8), a hyphen at the edge of a label, an
/// empty label, a dot at the end, or a last label that a resolver may take for a number (1.2.3,
/// 0x7f.1).
Result<std::string> clean_host_name(std::string_view name);

/// The same for a name that the user wrote: what is not ASCII becomes punycode (IDNA 2008, UTS 46).
Result<std::string> host_name_from_user(std::string_view name);

}  // namespace codexos
