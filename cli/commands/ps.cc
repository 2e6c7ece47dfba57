// SPDX-License-Identifier: Apache-2.0
// codexos ps: the list of tasks.
#include <fmt/core.h>
#include <unistd.h>
#include <cstdlib>

#include "cli/client.h"
#include "cli/commands/all.h"
#include "cli/render.h"
#include "cli/tasks.h"
#include "cli/terminal.h"
#include "cli/values.h"
#include "core/base/clock.h"

namespace codexos::cli {
namespace {

constexpr uint64_t kPage = 200;

Result<std::map<std::string, std::string>> make_query(const Invocation& inv, uint64_t& limit) {
  std::map<std::string, std::string> q;
  if (inv.has("all")) q["all"] = "1";
  if (inv.has("workspace")) {
    CODEXOS_ASSIGN(const std::string cwd, current_folder());
    const char* home = getenv("HOME");
    q["workspace"] = absolute_path(inv.value("workspace"), cwd, home == nullptr ? "" : home);
  }
  limit = UINT64_MAX;
  if (!inv.has("last")) return q;
  auto n = parse_number(inv.value("last"));
  if (!n.ok()) return std::move(n).error().during("--last");
  limit = *n;
  return q;
}

/// All pages, up to `limit` tasks.
Result<wire::TaskList> load(Client& client, std::map<std::string, std::string> query,
                            uint64_t limit) {
  wire::TaskList all;
  while (all.tasks.size() < limit) {
    query["limit"] = std::to_string(std::min<uint64_t>(kPage, limit - all.tasks.size()));
    CODEXOS_ASSIGN(auto page, client.fetch<wire::TaskList>(Request{"GET", "/v1/tasks", query, {}}));
    for (auto& t : page.tasks) all.tasks.push_back(std::move(t));
    if (page.next.empty()) break;
    query["cursor"] = page.next;
  }
  return all;
}

std::string changes_cell(const wire::Task& t) {
  if (t.changes_state != "waiting") return t.changes_state == "none" ? "" : t.changes_state;
  if (!t.changes) return "waiting";
  const uint64_t n = t.changes->added + t.changes->modified + t.changes->deleted;
  return fmt::format("{}{} waiting", n, t.changes->more ? "+" : "");
}

std::string command_cell(const wire::Task& t) {
  if (!t.agent) return quote_words(t.argv);
  return t.agent->name + (t.agent->prompt.empty() ? "" : " " + quote_word(t.agent->prompt));
}

std::string as_table(const std::vector<wire::Task>& tasks, size_t width, bool color) {
  Table table({"TASK", "NAME", "STATE", "EXIT", "AGE", "CHANGES", "COMMAND"});
  const int64_t now = now_us();
  for (const wire::Task& t : tasks)
    table.add({t.id, t.name, std::string(name_of(t.state)),
               t.exit_code && is_terminal(t.state) ? std::to_string(*t.exit_code) : "",
               age(t.created_at, now), changes_cell(t), command_cell(t)});
  return table.text(width, color);
}

}  // namespace

Result<int> list_tasks(Context& ctx, const Invocation& inv) {
  Client client(ctx);
  uint64_t limit = 0;
  CODEXOS_ASSIGN(auto query, make_query(inv, limit));
  CODEXOS_ASSIGN(const wire::TaskList list, load(client, std::move(query), limit));
  if (ctx.globals.json) {
    CODEXOS_TRY(print_line(json::encode(list)));
    return 0;
  }
  std::string out;
  if (ctx.globals.quiet) {
    for (const wire::Task& t : list.tasks) out += t.id + "\n";
  } else {
    const bool cut = isatty(STDOUT_FILENO) == 1 && !inv.has("no-trunc");
    out = as_table(list.tasks, cut ? terminal_size(STDOUT_FILENO).cols : 0,
                   wants_color(ctx, STDOUT_FILENO));
  }
  CODEXOS_TRY(print(out));
  return 0;
}

}  // namespace codexos::cli
