// SPDX-License-Identifier: Apache-2.0
// Requests of tasks to models: what they may use is reserved before, what they used is told after,
// and a budget that is used up is the reason of a task that fails by it.
#include "core/base/clock.h"
#include "core/base/log.h"
#include "daemon/tasks/budgets.h"
#include "daemon/tasks/known_values.h"
#include "daemon/tasks/supervisor.h"

namespace codexos::daemon {
namespace {

constexpr size_t kToldRefusals = 16;  // a program may ask again and again

wire::ModelUse use_of(const ChargeRow& row) {
  wire::ModelUse use;
  use.requests = 1;
  use.input_tokens = row.input;
  use.cached_input_tokens = row.cached_input;
  use.output_tokens = row.output;
  use.cost_micros = row.cost_micros;
  use.estimated = row.estimated ? 1 : 0;
  return use;
}

void add(wire::ModelUse& to, const wire::ModelUse& more) {
  to.requests += more.requests;
  to.input_tokens += more.input_tokens;
  to.cached_input_tokens += more.cached_input_tokens;
  to.output_tokens += more.output_tokens;
  to.cost_micros += more.cost_micros;
  to.estimated += more.estimated;
}

}  // namespace

void Supervisor::reserve_model(const std::string& task, const Charge& asked,
                               std::function<void(Result<Grant>)> done) {
  Running* r = find_running(task);
  if (r == nullptr || r->finished || r->end_row)
    return done(Error{Code::conflict, "the task has ended", {}});
  settle();
  Charge charge = asked;
  if (!p_.values.redact(task, charge.model)) charge.model = kWithheld;
  const Spender who{task, r->row.task.agent ? r->row.task.agent->name : std::string(), r->uid};
  auto reserved = p_.budgets.reserve(who, charge, now_us());
  if (!reserved.ok()) {
    if (reserved.error().code == Code::exhausted) refuse_model(*r, charge, reserved.error());
    return done(std::move(reserved).error());
  }
  for (const SoftCap& cap : reserved->soft) {
    const auto s = add_event(r->row, wire::EventType::task_limit, [&cap](wire::Event& e) {
      e.limit = cap.limit;
      e.used = cap.used;
      e.most = cap.most;
      e.detail = "the budget of " + cap.scope;
    });
    if (!s.ok()) log_line(LogLevel::warning, "task " + task, s.error().message);
  }
  p_.after_commit.add([done, grant = reserved->grant] { done(grant); },
                      [this, done, id = reserved->grant.id](const Error& why) {
                        p_.budgets.cancel(id);
                        done(Error(why));
                      });
}

void Supervisor::refuse_model(Running& r, const Charge& charge, const Error& why) {
  r.over_budget = why.message;
  if (++r.budget_refusals > kToldRefusals) return;
  const auto s = add_event(r.row, wire::EventType::denied, [&](wire::Event& e) {
    e.what = "budget";
    e.target = charge.model;
    e.detail = why.message;
    e.hint = "codexos budget raise " + r.row.task.id;
  });
  if (!s.ok()) log_line(LogLevel::warning, "task " + r.row.task.id, s.error().message);
}

void Supervisor::settle_model(uint64_t id, const ModelUsage& usage) {
  settle();
  auto settled = p_.budgets.settle(id, usage);
  if (!settled.ok())
    return log_line(LogLevel::error, "budgets", "settle: " + settled.error().message);
  if (!*settled) return;
  const ChargeRow& row = **settled;
  Running* r = find_running(row.task);
  if (r == nullptr || r->finished || r->end_row) return;
  const wire::ModelUse use = use_of(row);
  if (usage.counts || use.input_tokens + use.output_tokens + use.cost_micros != 0) {
    if (!r->row.task.models) r->row.task.models.emplace();
    add(*r->row.task.models, use);
  }
  const auto s = add_event(r->row, wire::EventType::model_exchange, [&](wire::Event& e) {
    e.provider = row.provider;
    e.model = row.model;
    e.status = row.status;
    e.models = use;
    e.duration_us = now_us() - row.at_us;
  });
  if (!s.ok()) log_line(LogLevel::warning, "task " + row.task, s.error().message);
}

/// A program that fails after it was refused what it wanted to spend has failed by that.
void Supervisor::judge_budget(const Running& r, Ended& end) {
  if (r.over_budget.empty() || end.outcome.cause != Cause::exited || end.outcome.code == 0) return;
  end.outcome.cause = Cause::budget;
  end.outcome.detail = r.over_budget;
}

}  // namespace codexos::daemon
