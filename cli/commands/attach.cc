// SPDX-License-Identifier: Apache-2.0
// codexos attach: this terminal becomes one more client of a running task.
#include <fmt/core.h>

#include "cli/commands/all.h"
#include "cli/session.h"
#include "cli/tasks.h"

namespace codexos::cli {
Result<int> attach_task(Context& ctx, const Invocation& inv) {
  Client client(ctx);
  const std::string& name = inv.words[0];
  CODEXOS_ASSIGN(const auto task,
                 client.fetch<wire::Task>(Request{"GET", task_path(name), {}, {}}));
  const bool watch = inv.has("no-stdin");
  Session s;
  s.what = fmt::format("attach {}", name);
  s.owner = true;
  s.relay.stdio = stdio_for(ctx, inv);
  // Everything comes as frames. Only a task with a terminal of its own makes ours raw.
  s.relay.stdio.mode = {Stdio::null, Stdio::pipe, Stdio::pipe};
  s.relay.stdio.raw_input = s.relay.stdio.raw_input && task.terminal && !watch;
  s.relay.stdio.forward_input = s.relay.stdio.forward_input && !watch;
  s.relay.forward_signals = !watch;
  s.relay.send_size = task.terminal && s.relay.stdio.raw_input;
  // The screen of a terminal is not there again until the program draws it, so its tail is shown.
  constexpr std::string_view kTail = "4096";
  std::map<std::string, std::string> query{
      {"replay_bytes", std::string(task.terminal ? kTail : "0")}};
  if (s.relay.stdio.forward_input) query["input"] = "1";
  s.request = Request{"POST", task_path(task.id, "attach"), query, {}};
  return run_session(ctx, client, std::move(s));
}

}  // namespace codexos::cli
