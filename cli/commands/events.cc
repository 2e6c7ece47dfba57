// SPDX-License-Identifier: Apache-2.0
// codexos events: the stored events of one task, or of all.
#include <fmt/core.h>

#include "cli/client.h"
#include "cli/commands/all.h"
#include "cli/escape.h"
#include "cli/render.h"
#include "cli/tasks.h"
#include "cli/values.h"
#include "core/wire/event.h"

namespace codexos::cli {
namespace {

/// 2026-11-24T20:16:05.123456Z  abcdefghijkl  task.ended  exited, exit code 0
std::string line_of(const wire::Event& e) {
  std::vector<std::string> parts;
  if (e.argv) parts.push_back(quote_words(*e.argv));
  if (e.cause && !e.cause->empty()) parts.push_back(*e.cause);
  if (e.signal) parts.push_back("signal " + signal_name(*e.signal));
  if (e.exit_code) parts.push_back(fmt::format("exit code {}", *e.exit_code));
  if (e.by) parts.push_back("by " + *e.by);
  if (e.changes) parts.push_back(changes_text(*e.changes));
  if (e.detail) parts.push_back(*e.detail);
  std::string text;
  for (const std::string& p : parts)
    if (!p.empty()) text += (text.empty() ? "" : ", ") + p;
  std::string out = fmt::format("{}  {}  {:>3}  {:<14}{}", e.ts, e.task, e.seq, name_of(e.type),
                                text.empty() ? "" : "  " + text);
  while (out.ends_with(' ')) out.pop_back();
  return printable(out);
}

}  // namespace

Result<int> show_events(Context& ctx, const Invocation& inv) {
  std::map<std::string, std::string> query;
  if (inv.has("follow")) query["follow"] = "1";
  if (inv.has("from")) {
    auto n = parse_number(inv.value("from"));
    if (!n.ok()) return std::move(n).error().during("--from");
    // The daemon gives what comes after a number: `seq` of one task's events, `ord` of all.
    query["since"] = std::to_string(*n == 0 ? 0 : *n - 1);
  }
  const std::string path = inv.words.empty() ? "/v1/events" : task_path(inv.words[0], "events");
  Client client(ctx);
  CODEXOS_TRY(client.stream(Request{"GET", path, query, {}}, [&](std::string_view line) -> Status {
    if (ctx.globals.json) return print_line(line);
    CODEXOS_ASSIGN(const auto event, json::decode<wire::Event>(line, json::Unknown::ignore));
    return print_line(ctx.globals.quiet ? event.task : line_of(event));
  }));
  return 0;
}

}  // namespace codexos::cli
