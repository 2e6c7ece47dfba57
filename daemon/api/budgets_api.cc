// SPDX-License-Identifier: Apache-2.0
// What models may cost and did cost.
#include "core/base/clock.h"
#include "core/wire/usage.h"
#include "daemon/api/api.h"
#include "daemon/tasks/budgets.h"

namespace codexos::daemon {
namespace {

constexpr int kMostCharges = 1000;
constexpr std::string_view kTaskScope = "task:";

Result<wire::BudgetList> budgets(ApiParts& parts) {
  CODEXOS_ASSIGN(auto list, parts.budgets.list(now_us()));
  return wire::BudgetList{std::move(list)};
}
void list_budgets(ApiParts& parts, const CallPtr& call) { answer(*call, budgets(parts)); }

Result<wire::BudgetList> put_limits(ApiParts& parts, const Call& call) {
  CODEXOS_ASSIGN(auto body, decode_body<wire::BudgetPut>(call));
  if (body.scope.rfind(kTaskScope, 0) == 0) {
    CODEXOS_ASSIGN(const TaskRow row, parts.supervisor.find(body.scope.substr(kTaskScope.size())));
    body.scope = std::string(kTaskScope) + row.task.id;
  }
  CODEXOS_TRY(parts.budgets.set(body));
  return budgets(parts);
}
void put_budget(ApiParts& parts, const CallPtr& call) { answer(*call, put_limits(parts, *call)); }

bool counts_in(const wire::Budget& b, const TaskRow& row, uint32_t uid) {
  return b.scope == "tenant" || b.scope == std::string(kTaskScope) + row.task.id ||
         (row.task.agent && b.scope == "agent:" + row.task.agent->name) ||
         b.scope == "user:" + std::to_string(uid);
}

wire::ModelCharge to_wire(const ChargeRow& row) {
  wire::ModelCharge c;
  c.at = format_time(row.at_us);
  c.provider = row.provider;
  c.model = row.model;
  c.state = row.state;
  c.tokens = row.tokens;
  c.cost_micros = row.cost_micros;
  c.input_tokens = row.input;
  c.cached_input_tokens = row.cached_input;
  c.output_tokens = row.output;
  c.estimated = row.estimated;
  c.status = row.status;
  return c;
}

Result<wire::ModelCharges> charges(ApiParts& parts, const Call& call) {
  CODEXOS_ASSIGN(const TaskRow row, parts.supervisor.find(call.param(0)));
  wire::ModelCharges out;
  out.task = row.task.id;
  CODEXOS_ASSIGN(auto all, parts.budgets.list(now_us()));
  for (auto& b : all)
    if (counts_in(b, row, call.who().uid)) out.budgets.push_back(std::move(b));
  CODEXOS_ASSIGN(const auto rows, parts.store.budgets().of_task(row.task.id, kMostCharges));
  for (const ChargeRow& charge : rows) out.charges.push_back(to_wire(charge));
  return out;
}
void task_charges(ApiParts& parts, const CallPtr& call) { answer(*call, charges(parts, *call)); }

Result<wire::UsageReport> report(ApiParts& parts, const Call& call) {
  wire::UsageReport out;
  out.by = call.query("by");
  if (out.by.empty()) out.by = "day";
  CODEXOS_ASSIGN(const uint64_t days, query_number(call, "days", 0));
  int64_t since_us = 0;
  if (days != 0) {
    constexpr int64_t kDayUs = int64_t{86'400} * 1'000'000;
    constexpr uint64_t kMostDays = 36'500;
    since_us =
        day_start_us(now_us()) - static_cast<int64_t>(std::min(days, kMostDays) - 1) * kDayUs;
    out.since = format_time(since_us);
  }
  CODEXOS_ASSIGN(const auto rows, parts.store.budgets().usage(out.by, since_us));
  for (const SpentRow& row : rows)
    out.lines.push_back(
        {row.key, {row.requests, row.input, row.cached_input, row.output, row.cost_micros, 0}});
  return out;
}
void usage(ApiParts& parts, const CallPtr& call) { answer(*call, report(parts, *call)); }

}  // namespace

ApiRoutes budget_routes() {
  const BodyType list = json_of<wire::BudgetList>("BudgetList");
  return {
      {"GET", "/v1/budgets", "Budgets, and how much of them is used", kNone, list, list_budgets},
      {"PUT", "/v1/budgets", "Set a budget; without limits it goes",
       json_of<wire::BudgetPut>("BudgetPut"), list, put_budget},
      {"GET", "/v1/tasks/{id}/charges", "What the task's requests to models cost", kNone,
       json_of<wire::ModelCharges>("ModelCharges"), task_charges},
      {"GET", "/v1/usage", "What models cost, by task, agent, model or day", kNone,
       json_of<wire::UsageReport>("UsageReport"), usage, "by days=number"},
  };
}

}  // namespace codexos::daemon
