// SPDX-License-Identifier: Apache-2.0
// codexos net allow, deny, ls: what a task may reach, changed while it runs, and what came of it.
#include "core/wire/net.h"

#include <fmt/core.h>
#include <unistd.h>

#include <map>

#include "cli/client.h"
#include "cli/commands/all.h"
#include "cli/render.h"
#include "cli/tasks.h"
#include "core/wire/event.h"

namespace codexos::cli {
namespace {

Result<int> change(Context& ctx, const std::string& task, const wire::NetBody& body) {
  Client client(ctx);
  CODEXOS_ASSIGN(
      const std::string reply,
      client.call(
          Request{"POST", task_path(task, "net"), {}, json::encode(body, json::Defaults::omit)}));
  if (ctx.globals.json) {
    CODEXOS_TRY(print_line(reply));
    return 0;
  }
  CODEXOS_ASSIGN(const auto changed, json::decode<wire::Task>(reply, json::Unknown::ignore));
  CODEXOS_TRY(print_line(changed.id));
  return 0;
}

std::vector<std::string> rules_of(const Invocation& inv) {
  return {inv.words.begin() + 1, inv.words.end()};
}

/// What happened to one target: connections are added up.
struct Line {
  uint64_t count = 0, in = 0, out = 0;
  std::string hint;
};

Result<std::map<std::string, Line>> read_events(Client& client, const std::string& task) {
  std::map<std::string, Line> lines;
  const auto take = [&lines](std::string_view text) -> Status {
    CODEXOS_ASSIGN(const auto e, json::decode<wire::Event>(text, json::Unknown::ignore));
    const bool denied = e.type == wire::EventType::denied;
    if (!denied && e.type != wire::EventType::net_connection) return {};
    const std::string port = e.port ? fmt::format(":{}", *e.port) : "";
    Line& line =
        lines[fmt::format("{} {}{}", denied ? "refused" : "reached", e.target.value_or(""), port)];
    ++line.count;
    line.in += e.bytes_in.value_or(0);
    line.out += e.bytes_out.value_or(0);
    if (denied) line.hint = e.hint.value_or(e.detail.value_or(""));
    return {};
  };
  CODEXOS_TRY(client.stream(Request{"GET", task_path(task, "events"), {}, {}}, take));
  return lines;
}

}  // namespace

Result<int> allow_network(Context& ctx, const Invocation& inv) {
  wire::NetBody body;
  body.allow = rules_of(inv);
  return change(ctx, inv.words[0], body);
}

Result<int> deny_network(Context& ctx, const Invocation& inv) {
  wire::NetBody body;
  body.deny = rules_of(inv);
  return change(ctx, inv.words[0], body);
}

Result<int> list_network(Context& ctx, const Invocation& inv) {
  Client client(ctx);
  CODEXOS_ASSIGN(const std::string name, task_or_last(ctx, client, inv));
  CODEXOS_ASSIGN(const std::string reply, client.call(Request{"GET", task_path(name), {}, {}}));
  CODEXOS_ASSIGN(const auto task, json::decode<wire::Task>(reply, json::Unknown::ignore));
  const wire::TaskNet net = task.net.value_or(wire::TaskNet{});
  if (ctx.globals.json) {
    CODEXOS_TRY(print_line(json::encode(net)));
    return 0;
  }
  if (ctx.globals.quiet) {
    for (const auto& rule : net.allow) CODEXOS_TRY(print_line(rule));
    return 0;
  }
  Table table({"", "TARGET", "TIMES", "IN", "OUT", "ALLOWED BY"});
  for (const auto& rule : net.allow) table.add({"allowed", rule, "", "", "", ""});
  CODEXOS_ASSIGN(const auto lines, read_events(client, task.id));
  for (const auto& [key, line] : lines) {
    const size_t space = key.find(' ');
    const bool reached = key[2] == 'a';
    table.add({key.substr(0, space), key.substr(space + 1), std::to_string(line.count),
               reached ? size_text(line.in) : "", reached ? size_text(line.out) : "", line.hint});
  }
  CODEXOS_TRY(print(table.text(0, wants_color(ctx, STDOUT_FILENO))));
  return 0;
}

}  // namespace codexos::cli
