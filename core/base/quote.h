// SPDX-License-Identifier: Apache-2.0
// Names as others read them. git, in patches and lists, with core.quotePath=false: a name with
// controls, quotes or backslashes stands in double quotes; bytes that are no UTF-8, and controls,
// are octal. The shell: plain words as they are, others in single quotes.
#pragma once

#include <string>
#include <string_view>

namespace codexos {

std::string quote_git(std::string_view path);
std::string quote_shell(std::string_view word);

}  // namespace codexos
