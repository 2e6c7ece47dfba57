// SPDX-License-Identifier: Apache-2.0
// codexos diff --name-status: what a task changed. The patch comes with a later version.
#include <fmt/core.h>

#include "cli/client.h"
#include "cli/commands/all.h"
#include "cli/render.h"
#include "cli/tasks.h"

namespace codexos::cli {
namespace {

/// As git does it: a name with control characters, quotes or backslashes in double quotes.
std::string quote_path(std::string_view path) {
  std::string out;
  bool special = false;
  for (const char c : path) {
    const auto u = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (u < 0x20 || u == 0x7f) {
      out += fmt::format("\\{:03o}", u);
    } else {
      out += c;
      continue;
    }
    special = true;
  }
  return special ? "\"" + out + "\"" : out;
}

}  // namespace

Result<int> diff_task(Context& ctx, const Invocation& inv) {
  if (!inv.has("name-status"))
    return Error{Code::unsupported, "the patch is not available in this version",
                 "codexos diff --name-status shows the changed paths"};
  Client client(ctx);
  CODEXOS_ASSIGN(const std::string name, task_or_last(ctx, client, inv));
  CODEXOS_ASSIGN(const std::string body,
                 client.call(Request{"GET", task_path(name, "changes"), {}, {}}));
  if (ctx.globals.json) {
    CODEXOS_TRY(print_line(body));
    return 0;
  }
  CODEXOS_ASSIGN(const auto list, json::decode<wire::ChangeList>(body, json::Unknown::ignore));
  CODEXOS_ASSIGN(const auto task,
                 client.fetch<wire::Task>(Request{"GET", task_path(list.task), {}, {}}));
  std::string out;
  for (const wire::Change& c : list.changes) {
    // Paths of other roots (a work tree's git folder) would be mistaken for the workspace's.
    const std::string path = c.root == task.workspace ? c.path : c.root + "/" + c.path;
    out += fmt::format("{}\t{}\n", c.status, quote_path(path));
  }
  CODEXOS_TRY(print(out));
  return 0;
}

}  // namespace codexos::cli
