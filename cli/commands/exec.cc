// SPDX-License-Identifier: Apache-2.0
// codexos exec: one more program in a running task, with stdio, signals and exit code as for run.
#include <fmt/core.h>

#include "cli/commands/all.h"
#include "cli/environment.h"
#include "cli/session.h"
#include "cli/tasks.h"
#include "cli/values.h"
#include "core/base/text.h"

namespace codexos::cli {
namespace {

Status check_words_of(const Invocation& inv) {
  if (inv.words.empty())
    return Error{Code::invalid, "TASK is missing", "codexos exec TASK -- CMD [ARG...]"};
  if (inv.words.size() > 1) {
    std::vector<std::string> line = inv.before;
    line.push_back(inv.words[0]);
    line.emplace_back("--");
    line.insert(line.end(), inv.words.begin() + 1, inv.words.end());
    line.insert(line.end(), inv.payload.begin(), inv.payload.end());
    return Error{Code::invalid, "the command stands behind --",
                 fmt::format("did you mean: {}", quote_words(line))};
  }
  if (inv.payload.empty())
    return Error{Code::invalid, "no command is given", "codexos exec TASK -- CMD [ARG...]"};
  return {};
}

}  // namespace

Result<int> exec_in_task(Context& ctx, const Invocation& inv) {
  CODEXOS_TRY(check_words_of(inv));
  if (ctx.globals.json)
    return Error{Code::unsupported, "--json is not available in this version",
                 "codexos events --json shows what was run"};
  wire::ExecCreate c;
  c.argv = inv.payload;
  CODEXOS_ASSIGN(c.env,
                 task_variables(inv.values("env-file"), inv.values("env"), read_environment()));
  c.cwd = inv.value("cwd");
  Session s;
  s.what = fmt::format("exec {}", quote_word(c.argv[0]));
  s.relay.stdio = stdio_for(ctx, inv);
  c.stdin_mode = s.relay.stdio.mode[0];
  c.stdout_mode = s.relay.stdio.mode[1];
  c.stderr_mode = s.relay.stdio.mode[2];
  const TerminalSize size = size_for(s.relay.stdio);
  c.rows = size.rows;
  c.cols = size.cols;
  s.request =
      Request{"POST", task_path(inv.words[0], "exec"), {}, json::encode(c, json::Defaults::omit)};
  Client client(ctx);
  return run_session(ctx, client, std::move(s));
}

}  // namespace codexos::cli
