// SPDX-License-Identifier: Apache-2.0
// What a task holds instead of a secret: a random word that only the egress knows the meaning of.
// It has the shape of what it stands for, since programs look at the shape of their keys: it stands
// behind the header and the claims of a JWT (RFC 7519), which are worth nothing without the
// signature, or behind a marker such as "sk-ant-". Whoever puts the value in replaces the whole
// word.
#pragma once

#include <string>
#include <string_view>

namespace codexos {

/// `cxsec_` and 32 hexadecimal digits: nothing else begins with it, and no spelling of a header, of
/// JSON (RFC 8259) or of a form changes it.
inline constexpr std::string_view kPlaceholderPrefix = "cxsec_";
inline constexpr size_t kPlaceholderHex = 32;

std::string make_placeholder();
/// `placeholder` in the shape of `value`.
std::string shaped_placeholder(std::string_view value, std::string_view placeholder);
/// Replaces every `placeholder` in `text`, with `whole_word` also what stands right in front of it
/// and belongs to its shape. False: there was none.
bool replace_placeholder(std::string& text, std::string_view placeholder, bool whole_word,
                         std::string_view with);

}  // namespace codexos
