// SPDX-License-Identifier: Apache-2.0
// codexos completion SHELL: the same text that stands in completions/.
#include <fmt/core.h>

#include "cli/commands/all.h"
#include "cli/completion.h"
#include "cli/render.h"
#include "cli/values.h"

namespace codexos::cli {
Result<int> print_completion(Context&, const Invocation& inv) {
  const std::string text = completion_script(inv.words[0]);
  if (text.empty())
    return Error{
        Code::invalid,
        fmt::format("{}: there are scripts for bash, zsh and fish", quote_word(inv.words[0])),
        {}};
  CODEXOS_TRY(print(text));
  return 0;
}

}  // namespace codexos::cli
