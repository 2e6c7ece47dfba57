// SPDX-License-Identifier: Apache-2.0
// codexos why: what was refused to a task, and the one option or policy line that would allow it.
// codexos policy suggest: the smallest policy with all of that in it.
#include "core/policy/why.h"

#include <fmt/core.h>

#include "cli/client.h"
#include "cli/commands/all.h"
#include "cli/escape.h"
#include "cli/render.h"
#include "cli/tasks.h"
#include "core/policy/report.h"

namespace codexos::cli {
namespace {

std::string text_of(const policy::Reason& r) {
  std::string out = fmt::format("{}: {}", r.what, printable(r.text));
  if (r.times > 1) out += fmt::format(" ({} times)", r.times);
  out += "\n";
  if (!r.rule.empty()) out += fmt::format("  by      {}\n", printable(r.rule));
  if (!r.option.empty()) out += fmt::format("  option  {}\n", printable(r.option));
  if (!r.policy.empty()) out += fmt::format("  policy  {}\n", printable(r.policy));
  return out;
}

}  // namespace

Result<int> explain_task(Context& ctx, const Invocation& inv) {
  Client client(ctx);
  CODEXOS_ASSIGN(const std::string task, task_or_last(ctx, client, inv));
  CODEXOS_ASSIGN(const std::string reply,
                 client.call(Request{"GET", task_path(task, "why"), {}, {}}));
  if (ctx.globals.json) {
    CODEXOS_TRY(print_line(reply));
    return 0;
  }
  CODEXOS_ASSIGN(const auto why, json::decode<policy::Why>(reply, json::Unknown::ignore));
  std::string out;
  for (const auto& r : why.reasons) out += text_of(r);
  if (why.reasons.empty()) say("nothing was refused that is known of");
  CODEXOS_TRY(print(out));
  return 0;
}

Result<int> suggest_policy(Context& ctx, const Invocation& inv) {
  Client client(ctx);
  CODEXOS_ASSIGN(const std::string task, task_or_last(ctx, client, inv));
  CODEXOS_ASSIGN(const std::string reply,
                 client.call(Request{"GET", task_path(task, "policy") + "/suggest", {}, {}}));
  if (ctx.globals.json) {
    CODEXOS_TRY(print_line(reply));
    return 0;
  }
  CODEXOS_ASSIGN(const auto view, json::decode<policy::PolicyView>(reply, json::Unknown::ignore));
  CODEXOS_TRY(print(view.text.empty() ? std::string("# it needs nothing\n") : view.text));
  return 0;
}

}  // namespace codexos::cli
