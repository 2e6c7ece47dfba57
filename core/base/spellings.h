// SPDX-License-Identifier: Apache-2.0
// The ways in which programs write a value into a text: what a search for it has to look for.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace codexos {

/// A terminal makes "\r\n" of every "\n".
std::string on_terminal(std::string_view value);

/// Base64 (RFC 4648, both alphabets): alone, and as a part of something longer, which shifts it by
/// none, one or two bytes; of that, the characters that are made of the value alone. Alone also in
/// lines of 76 (MIME) or 64 columns (PEM).
std::vector<std::string> base64_spellings(std::string_view value);

/// The value as it is, and on a terminal; base64; hexadecimal; percent-encoded (RFC 3986, of forms,
/// every byte); escaped for JSON (RFC 8259) and HTML. Each once, the value itself first.
std::vector<std::string> spellings_of(std::string_view value);

}  // namespace codexos
