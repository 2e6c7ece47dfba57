// SPDX-License-Identifier: Apache-2.0
// codexos snapshot create, list, restore, rm: states of a task's changes, named TASK@NAME.
#include "core/wire/snapshot.h"

#include <fmt/core.h>
#include <unistd.h>

#include "cli/client.h"
#include "cli/commands/all.h"
#include "cli/render.h"
#include "cli/tasks.h"
#include "core/base/clock.h"

namespace codexos::cli {
namespace {

struct Named {
  std::string task, name;
};

Result<Named> split(const std::string& word) {
  const size_t at = word.find('@');
  if (at == std::string::npos || at == 0 || at + 1 == word.size())
    return Error{Code::invalid, "\"" + word + "\" names no snapshot: TASK@NAME is wanted",
                 "codexos snapshot list " + word.substr(0, at)};
  return Named{word.substr(0, at), word.substr(at + 1)};
}

std::string path_of(const std::string& task) { return task_path(task, "snapshots"); }
std::string path_of(const Named& n) { return path_of(n.task) + "/" + http::percent_encode(n.name); }

std::string full_name(const wire::Snapshot& s) { return s.task + "@" + s.name; }

}  // namespace

Result<int> create_snapshot(Context& ctx, const Invocation& inv) {
  Client client(ctx);
  wire::SnapshotBody body;
  body.name = inv.value("name");
  CODEXOS_ASSIGN(const std::string reply,
                 client.call(Request{
                     "POST", path_of(inv.words[0]), {}, json::encode(body, json::Defaults::omit)}));
  if (ctx.globals.json) {
    CODEXOS_TRY(print_line(reply));
    return 0;
  }
  CODEXOS_ASSIGN(const auto s, json::decode<wire::Snapshot>(reply, json::Unknown::ignore));
  CODEXOS_TRY(print_line(full_name(s)));
  return 0;
}

Result<int> list_snapshots(Context& ctx, const Invocation& inv) {
  Client client(ctx);
  CODEXOS_ASSIGN(const std::string task, task_or_last(ctx, client, inv));
  CODEXOS_ASSIGN(const std::string reply, client.call(Request{"GET", path_of(task), {}, {}}));
  if (ctx.globals.json) {
    CODEXOS_TRY(print_line(reply));
    return 0;
  }
  CODEXOS_ASSIGN(const auto list, json::decode<wire::SnapshotList>(reply, json::Unknown::ignore));
  if (ctx.globals.quiet) {
    for (const auto& s : list.snapshots) CODEXOS_TRY(print_line(full_name(s)));
    return 0;
  }
  if (list.snapshots.empty()) return 0;
  Table table({"SNAPSHOT", "AGE", "ENTRIES", "NEW", "TASK"});
  for (const auto& s : list.snapshots)
    table.add({full_name(s), age(s.created_at, now_us()), std::to_string(s.entries),
               fmt::format("{} files, {}", s.stored_files, size_text(s.stored_bytes)),
               s.running ? "frozen" : "ended"});
  CODEXOS_TRY(print(table.text(0, wants_color(ctx, STDOUT_FILENO))));
  return 0;
}

Result<int> restore_snapshot(Context& ctx, const Invocation& inv) {
  Client client(ctx);
  CODEXOS_ASSIGN(const Named named, split(inv.words[0]));
  CODEXOS_ASSIGN(const std::string reply,
                 client.call(Request{"POST", path_of(named) + "/restore", {}, {}}));
  if (ctx.globals.json) {
    CODEXOS_TRY(print_line(reply));
    return 0;
  }
  CODEXOS_ASSIGN(const auto task, json::decode<wire::Task>(reply, json::Unknown::ignore));
  CODEXOS_TRY(print_line(task.id));
  return 0;
}

Result<int> remove_snapshots(Context& ctx, const Invocation& inv) {
  Client client(ctx);
  return for_each_task(ctx, inv, [&](const std::string& word) -> Status {
    CODEXOS_ASSIGN(const Named named, split(word));
    CODEXOS_ASSIGN(const std::string reply, client.call(Request{"DELETE", path_of(named), {}, {}}));
    if (ctx.globals.json) return print_line(reply);
    CODEXOS_ASSIGN(const auto s, json::decode<wire::Snapshot>(reply, json::Unknown::ignore));
    return print_line(full_name(s));
  });
}

}  // namespace codexos::cli
