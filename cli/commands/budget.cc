// SPDX-License-Identifier: Apache-2.0
// codexos budget and codexos usage: what models may cost, and what they did cost.
#include <fmt/core.h>
#include <unistd.h>

#include "cli/budget_options.h"
#include "cli/client.h"
#include "cli/commands/all.h"
#include "cli/escape.h"
#include "cli/render.h"
#include "cli/tasks.h"
#include "cli/values.h"
#include "core/base/clock.h"
#include "core/base/money.h"
#include "core/wire/task.h"
#include "core/wire/usage.h"

namespace codexos::cli {
namespace {

std::string used_of(uint64_t used, uint64_t most, bool money) {
  const auto text = [money](uint64_t n) { return money ? format_money(n) : std::to_string(n); };
  return most == 0 ? text(used) : text(used) + " of " + text(most);
}

Table budget_table(const std::vector<wire::Budget>& budgets) {
  Table table({"SCOPE", "PERIOD", "TOKENS", "REQUESTS", "COST"});
  for (const auto& b : budgets)
    table.add({printable(b.scope), std::string(name_of(b.period)),
               used_of(b.tokens, b.limits.max_tokens, false),
               used_of(b.requests, b.limits.max_requests, false),
               used_of(b.cost_micros, b.limits.max_cost_micros, true)});
  return table;
}

Result<int> say_budgets(const Context& ctx, const std::string& reply, const std::string& scope) {
  if (ctx.globals.json) {
    CODEXOS_TRY(print_line(reply));
    return 0;
  }
  CODEXOS_ASSIGN(auto list, json::decode<wire::BudgetList>(reply, json::Unknown::ignore));
  if (!scope.empty())
    std::erase_if(list.budgets, [&scope](const auto& b) { return b.scope != scope; });
  if (!list.budgets.empty())
    CODEXOS_TRY(print(budget_table(list.budgets).text(0, wants_color(ctx, STDOUT_FILENO))));
  return 0;
}

/// What is of no other kind is a task, by id, prefix or name.
Result<std::string> scope_of(Client& client, const std::string& word) {
  if (word == "tenant" || word.find(':') != word.npos) return word;
  CODEXOS_ASSIGN(const auto task,
                 client.fetch<wire::Task>(Request{"GET", task_path(word), {}, {}}));
  return "task:" + task.id;
}

Result<int> put_budget(Context& ctx, Client& client, const wire::BudgetPut& body) {
  CODEXOS_ASSIGN(
      const std::string reply,
      client.call(Request{"PUT", "/v1/budgets", {}, json::encode(body, json::Defaults::omit)}));
  return say_budgets(ctx, reply, body.scope);
}

}  // namespace

Result<int> show_budgets(Context& ctx, const Invocation& inv) {
  Client client(ctx);
  std::string scope;
  if (!inv.words.empty()) {
    CODEXOS_ASSIGN(scope, scope_of(client, inv.words[0]));
  }
  CODEXOS_ASSIGN(const std::string reply, client.call(Request{"GET", "/v1/budgets", {}, {}}));
  return say_budgets(ctx, reply, scope);
}

Result<int> set_budget(Context& ctx, const Invocation& inv) {
  wire::BudgetPut body;
  if (inv.has("period")) body.period = *find_enum<wire::BudgetPeriod>(inv.value("period"));
  CODEXOS_TRY(fill_budget(inv, body.limits));
  if (inv.has("soft")) {
    CODEXOS_ASSIGN(const uint64_t percent, parse_number(inv.value("soft")));
    constexpr uint64_t kAll = 100;
    if (percent < 1 || percent > kAll)
      return Error{Code::invalid, "--soft: 1 to 100 percent is expected", {}};
    body.soft_percent = static_cast<uint32_t>(percent);
  }
  if (inv.has("none") == body.limits.any())
    return Error{Code::invalid,
                 body.limits.any() ? "--none takes nothing else"
                                   : "--max-tokens, --max-requests, --max-cost or --none is needed",
                 {}};
  Client client(ctx);
  CODEXOS_ASSIGN(body.scope, scope_of(client, inv.words[0]));
  return put_budget(ctx, client, body);
}

Result<int> raise_budget(Context& ctx, const Invocation& inv) {
  Client client(ctx);
  CODEXOS_ASSIGN(const auto charges, client.fetch<wire::ModelCharges>(Request{
                                         "GET", task_path(inv.words[0], "charges"), {}, {}}));
  wire::BudgetPut body;
  body.scope = "task:" + charges.task;
  for (const auto& b : charges.budgets)
    if (b.scope == body.scope) {
      body.limits = b.limits;
      body.soft_percent = b.soft_percent;
    }
  wire::BudgetLimits more;
  CODEXOS_TRY(fill_budget(inv, more));
  if (!more.any())
    return Error{Code::invalid, "--max-tokens, --max-requests or --max-cost is needed", {}};
  for (const auto amount : {&wire::BudgetLimits::max_tokens, &wire::BudgetLimits::max_requests,
                            &wire::BudgetLimits::max_cost_micros}) {
    if (more.*amount == 0) continue;
    if (more.*amount < body.limits.*amount)
      return Error{Code::invalid, "that is less than the task has now",
                   fmt::format("codexos budget set {} lowers it", inv.words[0])};
    body.limits.*amount = more.*amount;
  }
  return put_budget(ctx, client, body);
}

Result<int> explain_budget(Context& ctx, const Invocation& inv) {
  Client client(ctx);
  CODEXOS_ASSIGN(const std::string task, task_or_last(ctx, client, inv));
  CODEXOS_ASSIGN(const std::string reply,
                 client.call(Request{"GET", task_path(task, "charges"), {}, {}}));
  if (ctx.globals.json) {
    CODEXOS_TRY(print_line(reply));
    return 0;
  }
  CODEXOS_ASSIGN(const auto c, json::decode<wire::ModelCharges>(reply, json::Unknown::ignore));
  const bool color = wants_color(ctx, STDOUT_FILENO);
  if (!c.budgets.empty()) CODEXOS_TRY(print(budget_table(c.budgets).text(0, color) + "\n"));
  Table table({"AT", "MODEL", "STATE", "IN", "CACHED", "OUT", "COST", "STATUS"});
  for (const auto& row : c.charges)
    table.add({row.at.substr(0, 19), printable(row.provider + "/" + row.model), row.state,
               std::to_string(row.input_tokens), std::to_string(row.cached_input_tokens),
               std::to_string(row.output_tokens), format_money(row.cost_micros),
               std::to_string(row.status)});
  CODEXOS_TRY(print(c.charges.empty() ? "task " + c.task + " made no request to a model\n"
                                      : table.text(0, color)));
  return 0;
}

Result<int> show_usage(Context& ctx, const Invocation& inv) {
  Request r{"GET", "/v1/usage", {{"by", inv.value("by", "day")}}, {}};
  if (inv.has("days")) {
    CODEXOS_ASSIGN(const uint64_t days, parse_number(inv.value("days")));
    r.query["days"] = std::to_string(days);
  }
  CODEXOS_ASSIGN(const std::string reply, Client(ctx).call(r));
  if (ctx.globals.json) {
    CODEXOS_TRY(print_line(reply));
    return 0;
  }
  CODEXOS_ASSIGN(const auto report, json::decode<wire::UsageReport>(reply, json::Unknown::ignore));
  if (report.lines.empty()) return 0;
  std::string by = report.by;
  for (char& c : by) c = static_cast<char>(c - 'a' + 'A');
  Table table({by, "REQUESTS", "IN", "CACHED", "OUT", "COST"});
  for (const auto& line : report.lines)
    table.add({line.key.empty() ? "-" : printable(line.key), std::to_string(line.used.requests),
               std::to_string(line.used.input_tokens),
               std::to_string(line.used.cached_input_tokens),
               std::to_string(line.used.output_tokens), format_money(line.used.cost_micros)});
  CODEXOS_TRY(print(table.text(0, wants_color(ctx, STDOUT_FILENO))));
  return 0;
}

}  // namespace codexos::cli
