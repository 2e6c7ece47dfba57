// SPDX-License-Identifier: Apache-2.0
// codexos stats: what tasks use now, and how much of their limits that is.
#include <fmt/core.h>

#include <algorithm>
#include <string>
#include <vector>

#include "cli/client.h"
#include "cli/commands/all.h"
#include "cli/render.h"
#include "cli/tasks.h"

namespace codexos::cli {
namespace {

/// "12.0 MiB / 64MiB"; nothing where it is not known.
std::string of_limit(const std::optional<std::string>& used, const wire::TaskStats& s,
                     std::string_view limit) {
  if (!used) return "-";
  const auto at = std::find_if(s.limits.begin(), s.limits.end(),
                               [limit](const auto& l) { return l.name == limit && !l.by.empty(); });
  return at == s.limits.end() ? *used : fmt::format("{} / {}", *used, at->value);
}

std::optional<std::string> size_of(const std::optional<uint64_t>& bytes) {
  return bytes ? std::optional(size_text(*bytes)) : std::nullopt;
}

void add_row(const wire::TaskStats& s, Table& table) {
  const auto pids = s.pids ? std::optional(std::to_string(*s.pids)) : std::nullopt;
  table.add({s.task, s.name, std::string(name_of(s.state)), span_text(s.wall_us),
             of_limit(size_of(s.memory_bytes), s, "memory"),
             of_limit(span_text(s.cpu_us), s, "cpu_time"), of_limit(pids, s, "pids"),
             of_limit(size_of(s.disk_bytes), s, "disk"), size_of(s.net_bytes_in).value_or("-"),
             size_of(s.net_bytes_out).value_or("-")});
}

Result<std::vector<std::string>> running_tasks(Client& client) {
  CODEXOS_ASSIGN(const auto list,
                 client.fetch<wire::TaskList>(Request{"GET", "/v1/tasks", {{"limit", "500"}}, {}}));
  std::vector<std::string> out;
  for (const auto& t : list.tasks)
    if (t.state == TaskState::running || t.state == TaskState::paused ||
        t.state == TaskState::stopping)
      out.push_back(t.id);
  return out;
}

}  // namespace

Result<int> show_stats(Context& ctx, const Invocation& inv) {
  Client client(ctx);
  Invocation tasks = inv;
  const bool all = tasks.words.empty();
  if (all) {
    CODEXOS_ASSIGN(tasks.words, running_tasks(client));
  }
  Table table(
      {"TASK", "NAME", "STATE", "TIME", "MEMORY", "CPU TIME", "PIDS", "DISK", "NET IN", "NET OUT"});
  auto code = for_each_task(ctx, tasks, [&](const std::string& name) -> Status {
    auto body = client.call(Request{"GET", task_path(name, "stats"), {}, {}});
    // It has just ended.
    if (!body.ok() && all && body.error().code == Code::conflict) return {};
    if (!body.ok()) return std::move(body).error();
    if (ctx.globals.json) return print_line(*body);
    CODEXOS_ASSIGN(const auto s, json::decode<wire::TaskStats>(*body, json::Unknown::ignore));
    if (ctx.globals.quiet) return print_line(s.task);
    add_row(s, table);
    return {};
  });
  if (!code.ok() || ctx.globals.json || ctx.globals.quiet) return code;
  CODEXOS_TRY(print(table.text(0, false)));
  return code;
}

}  // namespace codexos::cli
