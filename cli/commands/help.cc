// SPDX-License-Identifier: Apache-2.0
// codexos help [COMMAND].
#include <fmt/core.h>

#include "cli/commands/all.h"
#include "cli/help.h"
#include "cli/render.h"
#include "cli/suggest.h"
#include "core/base/text.h"

namespace codexos::cli {
Result<int> print_help(Context&, const Invocation& inv) {
  const std::string name = join_words(inv.words, " ");
  if (name.empty()) {
    CODEXOS_TRY(print(help_overview()));
    return 0;
  }
  if (const Command* c = find_command(name)) {
    CODEXOS_TRY(print(help_command(*c)));
    return 0;
  }
  if (!verbs_of(name).empty()) {
    CODEXOS_TRY(print(help_noun(name)));
    return 0;
  }
  std::vector<std::string_view> known;
  for (const Command& c : commands()) known.push_back(c.name);
  const auto near = suggest(name, known);
  return Error{Code::invalid, fmt::format("unknown command {}", name),
               near.empty() ? "codexos help" : fmt::format("did you mean codexos help {}?", near)};
}

}  // namespace codexos::cli
