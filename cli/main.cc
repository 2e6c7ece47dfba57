// SPDX-License-Identifier: Apache-2.0
// The codexos command: parse by the table, run the command's function, map its error to an exit
// code.
#include <string>
#include <vector>

#include "cli/args.h"
#include "cli/context.h"
#include "cli/help.h"
#include "cli/render.h"
#include "cli/stdio.h"
#include "core/base/outcome.h"

namespace codexos::cli {
namespace {

Result<int> run(Context& ctx, const Parsed& parsed) {
  if (const auto* help = std::get_if<WantsHelp>(&parsed.wants)) {
    const std::string text = help->command != nullptr ? help_command(*help->command)
                             : help->noun.empty()     ? help_overview()
                                                      : help_noun(help->noun);
    CODEXOS_TRY(print(text));
    return 0;
  }
  const auto& inv = std::get<Invocation>(parsed.wants);
  auto code = inv.command->run(ctx, inv);
  if (!code.ok()) return std::move(code).error().during(inv.command->name);
  return code;
}

/// run and its relatives exit with 125 where CodexOS is the cause, unless the task's cause has a
/// code of its own (127: the command was not found).
int exit_code_of_error(const Context& ctx, const Error& e, Fails fails) {
  if (fails == Fails::by_code) return wire::code_row(e.code).exit_code;
  const auto cause = find_enum<Cause>(ctx.problem ? ctx.problem->cause : "");
  const int own = cause ? cause_row(*cause).exit_code : -1;
  constexpr int kOurFault = 125;
  return own >= 0 ? own : kOurFault;
}

int run_main(const std::vector<std::string>& args) {
  Context ctx;
  ctx.open_at_start = fill_closed_descriptors();
  Parsed parsed;
  const Status understood = parse_args(args, parsed);
  ctx.globals = parsed.globals;
  auto code = understood.ok() ? run(ctx, parsed) : Result<int>(understood.error());
  if (code.ok()) return *code;
  report(ctx, code.error());
  return exit_code_of_error(ctx, code.error(), parsed.fails);
}

}  // namespace
}  // namespace codexos::cli

int main(int argc, char** argv) {
  return codexos::cli::run_main(std::vector<std::string>(argv + (argc > 0 ? 1 : 0), argv + argc));
}
