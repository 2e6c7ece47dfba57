// SPDX-License-Identifier: Apache-2.0
#include "daemon/tasks/budgets.h"

#include <algorithm>
#include <ctime>

#include "core/base/clock.h"
#include "core/base/money.h"

namespace codexos::daemon {
namespace {

constexpr int64_t kSecondUs = 1'000'000;
constexpr uint64_t kMillion = 1'000'000;
constexpr std::array kPeriods{wire::BudgetPeriod::total, wire::BudgetPeriod::day,
                              wire::BudgetPeriod::month};

tm utc_of(int64_t at_us) {
  const time_t seconds = at_us / kSecondUs;
  tm out{};
  gmtime_r(&seconds, &out);
  out.tm_hour = out.tm_min = out.tm_sec = 0;
  return out;
}

std::vector<std::string> scopes_of(const ChargeRow& row) {
  std::vector<std::string> out{"task:" + row.task};
  if (!row.agent.empty()) out.push_back("agent:" + row.agent);
  out.push_back("user:" + std::to_string(row.uid));
  out.emplace_back("tenant");
  return out;
}

std::string in_words(const BudgetView& b) {
  const std::string whose = b.scope == "tenant" ? "all tasks" : b.scope;
  switch (b.period) {
    case wire::BudgetPeriod::day:
      return whose + " for today";
    case wire::BudgetPeriod::month:
      return whose + " for this month";
    case wire::BudgetPeriod::total:
      break;
  }
  return whose;
}

Error used_up(const BudgetView& b, const std::string& most, const std::string& used,
              const std::string& needs) {
  return Error{Code::exhausted,
               "the budget of " + in_words(b) + " is " + most + ": " + used +
                   " are used or reserved, and this request may need " + needs,
               "codexos budget explain"};
}

std::string tokens(uint64_t n) { return std::to_string(n) + " tokens"; }

bool reached(uint64_t used, uint64_t most, uint32_t percent) {
  return most != 0 && used >= most / 100 * percent + most % 100 * percent / 100;
}

void add(Spent& to, const Spent& more) {
  to.requests += more.requests;
  to.tokens += more.tokens;
  to.cost_micros += more.cost_micros;
}
void take(Spent& from, const Spent& less) {
  from.requests -= std::min(from.requests, less.requests);
  from.tokens -= std::min(from.tokens, less.tokens);
  from.cost_micros -= std::min(from.cost_micros, less.cost_micros);
}

Spent spent_of(const SpentRow& row) { return {row.requests, row.tokens, row.cost_micros}; }

}  // namespace

int64_t day_start_us(int64_t at_us) {
  tm t = utc_of(at_us);
  return int64_t{timegm(&t)} * kSecondUs;
}

int64_t month_start_us(int64_t at_us) {
  tm t = utc_of(at_us);
  t.tm_mday = 1;
  return int64_t{timegm(&t)} * kSecondUs;
}

uint64_t cost_of(const Charge& c, uint64_t output_tokens) {
  if (output_tokens >= c.max_output_tokens) return c.max_cost_micros;
  const uint64_t whole = output_tokens / kMillion * c.output_price;
  const uint64_t part = (output_tokens % kMillion * c.output_price + kMillion - 1) / kMillion;
  return std::min(c.max_cost_micros, c.input_cost_micros + whole + part);
}

Result<uint64_t> room_for(const BudgetView& b, const Charge& c) {
  uint64_t room = c.max_output_tokens;
  const uint64_t least = std::min(c.least_output_tokens, c.max_output_tokens);
  if (b.limits.max_requests != 0 && b.spent.requests + c.requests > b.limits.max_requests)
    return used_up(b, std::to_string(b.limits.max_requests) + " requests",
                   std::to_string(b.spent.requests), std::to_string(c.requests));
  if (!c.countable && (b.limits.max_tokens != 0 || b.limits.max_cost_micros != 0))
    return Error{Code::exhausted,
                 "what a request to " + c.model + " of " + c.provider +
                     " uses cannot be counted, and there is a budget of " + in_words(b),
                 "codexos budget explain"};
  if (const uint64_t most = b.limits.max_tokens; most != 0) {
    const uint64_t taken = b.spent.tokens + c.max_input_tokens;
    if (taken + least > most)
      return used_up(b, tokens(most), std::to_string(b.spent.tokens),
                     std::to_string(c.max_input_tokens + least));
    room = std::min(room, most - taken);
  }
  if (const uint64_t most = b.limits.max_cost_micros; most != 0) {
    if (!c.priced)
      return Error{Code::exhausted,
                   "the budget of " + in_words(b) + " is in money, and no price of the model " +
                       c.model + " is known",
                   "prices in providers.yaml, or a budget of tokens"};
    const uint64_t left = most - std::min(most, b.spent.cost_micros);
    const uint64_t affordable = affordable_output(c, left);
    if (c.input_cost_micros > left || affordable < least)
      return used_up(b, format_money(most), format_money(b.spent.cost_micros),
                     format_money(cost_of(c, least)));
    room = std::min(room, affordable);
  }
  return room;
}

std::string nearly_used(const BudgetView& b) {
  if (reached(b.spent.tokens, b.limits.max_tokens, b.soft_percent)) return "tokens";
  if (reached(b.spent.cost_micros, b.limits.max_cost_micros, b.soft_percent)) return "cost";
  if (reached(b.spent.requests, b.limits.max_requests, b.soft_percent)) return "requests";
  return {};
}

// ---- what is used

Status Budgets::load(int64_t now_us) {
  const int64_t day = day_start_us(now_us);
  if (loaded_ && day == day_us_) return {};
  BudgetTable& table = store_.budgets();
  spent_.clear();
  limits_.clear();
  day_us_ = day;
  month_us_ = month_start_us(now_us);
  CODEXOS_ASSIGN(const auto budgets, table.all());
  for (const BudgetRow& row : budgets) limits_[{row.scope, static_cast<int>(row.period)}] = row;
  struct Row {
    int64_t since_us;
    Spent Periods::*spent;
  };
  for (const Row& row :
       {Row{0, &Periods::total}, Row{month_us_, &Periods::month}, Row{day_us_, &Periods::day}}) {
    CODEXOS_ASSIGN(const auto sums, table.by_spender(row.since_us));
    for (const SpentRow& sum : sums) {
      if (!sum.key.empty()) add(spent_["agent:" + sum.key].*(row.spent), spent_of(sum));
      add(spent_["user:" + std::to_string(sum.uid)].*(row.spent), spent_of(sum));
      add(spent_["tenant"].*(row.spent), spent_of(sum));
    }
  }
  CODEXOS_ASSIGN(const uint64_t last, table.last_id());
  last_id_ = std::max(last_id_, last);
  loaded_ = true;
  return {};
}

Status Budgets::know_task(const std::string& task) {
  const std::string scope = "task:" + task;
  if (spent_.count(scope) != 0) return {};
  CODEXOS_ASSIGN(const SpentRow sum, store_.budgets().by_task(task));
  spent_[scope].total = spent_of(sum);
  return {};
}

std::vector<BudgetView> Budgets::views_of(const std::vector<std::string>& scopes) const {
  std::vector<BudgetView> out;
  for (const std::string& scope : scopes)
    for (const wire::BudgetPeriod period : kPeriods) {
      const auto limit = limits_.find({scope, static_cast<int>(period)});
      if (limit == limits_.end()) continue;
      BudgetView view{scope, period, limit->second.limits, limit->second.soft_percent, {}};
      if (const auto at = spent_.find(scope); at != spent_.end())
        view.spent = period == wire::BudgetPeriod::total ? at->second.total
                     : period == wire::BudgetPeriod::day ? at->second.day
                                                         : at->second.month;
      out.push_back(std::move(view));
    }
  return out;
}

void Budgets::count(const ChargeRow& row, const Spent& before, const Spent& after) {
  const std::string own = "task:" + row.task;
  for (const std::string& scope : scopes_of(row)) {
    // A task that is not known yet is read whole when it is asked for (know_task).
    if (scope == own && spent_.count(own) == 0) continue;
    Periods& p = spent_[scope];
    const auto change = [&](Spent& s) {
      take(s, before);
      add(s, after);
    };
    change(p.total);
    if (row.at_us >= day_us_) change(p.day);
    if (row.at_us >= month_us_) change(p.month);
  }
}

// ---- reserve and settle

Result<Reserved> Budgets::reserve(const Spender& who, const Charge& c, int64_t now_us) {
  CODEXOS_TRY(load(now_us));
  CODEXOS_TRY(know_task(who.task));
  ChargeRow row;
  row.task = who.task;
  row.agent = who.agent;
  row.uid = who.uid;
  row.provider = c.provider;
  row.model = c.model;
  row.at_us = now_us;
  const auto scopes = scopes_of(row);
  uint64_t output = c.max_output_tokens;
  Reserved out;
  for (const BudgetView& view : views_of(scopes)) {
    const auto& most = view.limits;
    out.grant.bounded = out.grant.bounded || most.max_tokens != 0 || most.max_cost_micros != 0;
    CODEXOS_ASSIGN(const uint64_t room, room_for(view, c));
    output = std::min(output, room);
  }
  row.id = last_id_ + 1;
  row.tokens = c.max_input_tokens + output;
  row.cost_micros = cost_of(c, output);
  CODEXOS_TRY(store_.budgets().insert(row));
  ++last_id_;
  count(row, {}, {1, row.tokens, row.cost_micros});
  out.grant.id = row.id;
  out.grant.max_output_tokens = output;
  open_[row.id] = std::move(row);
  for (const BudgetView& view : views_of(scopes)) {
    const std::string limit = nearly_used(view);
    if (limit.empty()) continue;
    out.grant.downgrade_to = c.downgrade;
    if (!c.downgrade.empty())
      out.grant.note = "the budget of " + in_words(view) + " is nearly used up";
    const std::string key = who.task + ' ' + view.scope + ' ' + std::string(name_of(view.period)) +
                            ' ' + limit + ' ' + std::to_string(day_us_);
    if (!told_.insert(key).second) continue;
    const bool money = limit == "cost", counted = limit == "requests";
    out.soft.push_back({limit, view.scope,
                        money     ? view.spent.cost_micros
                        : counted ? view.spent.requests
                                  : view.spent.tokens,
                        money     ? view.limits.max_cost_micros
                        : counted ? view.limits.max_requests
                                  : view.limits.max_tokens});
  }
  return out;
}

Result<std::optional<ChargeRow>> Budgets::settle(uint64_t id, const ModelUsage& usage) {
  const auto at = open_.find(id);
  if (at == open_.end()) return std::optional<ChargeRow>();
  ChargeRow row = at->second;
  const Spent before{1, row.tokens, row.cost_micros};
  row.state = "settled";
  row.input = usage.input;
  row.cached_input = usage.cached_input;
  row.output = usage.output;
  row.tokens = usage.input + usage.output;
  row.cost_micros = usage.cost_micros;
  row.estimated = usage.estimated;
  row.status = usage.status;
  // What used nothing was no request to a model.
  const bool unused = !usage.counts && row.tokens == 0 && row.cost_micros == 0;
  CODEXOS_TRY(unused ? store_.budgets().remove(id) : store_.budgets().settle(row));
  open_.erase(at);
  count(row, before, unused ? Spent{} : Spent{1, row.tokens, row.cost_micros});
  return std::optional<ChargeRow>(std::move(row));
}

// ---- the budgets themselves

namespace {

Status check_scope(const std::string& scope) {
  const auto rest_of = [&scope](std::string_view prefix) -> std::string_view {
    return scope.rfind(prefix, 0) == 0 ? std::string_view(scope).substr(prefix.size()) : "";
  };
  if (scope == "tenant" || !rest_of("task:").empty() || !rest_of("agent:").empty()) return {};
  const std::string_view uid = rest_of("user:");
  if (!uid.empty() && uid.size() <= 10 && uid.find_first_not_of("0123456789") == uid.npos)
    return {};
  return Error{Code::invalid, "scope: \"" + scope + "\" is none",
               "tenant, user:UID, agent:NAME or task:ID"};
}

}  // namespace

Status Budgets::set(const wire::BudgetPut& body) {
  CODEXOS_TRY(check_scope(body.scope));
  if (body.soft_percent < 1 || body.soft_percent > 100)
    return Error{Code::invalid, "soft_percent: 1 to 100 is expected", {}};
  if (body.scope.rfind("task:", 0) == 0 && body.period != wire::BudgetPeriod::total)
    return Error{Code::invalid, "period: a task's budget is in total", {}};
  BudgetTable& table = store_.budgets();
  const std::pair key{body.scope, static_cast<int>(body.period)};
  if (!body.limits.any()) {
    CODEXOS_TRY(table.remove(body.scope, body.period));
    limits_.erase(key);
    return {};
  }
  const BudgetRow row{body.scope, body.period, body.limits, body.soft_percent};
  CODEXOS_TRY(table.put(row));
  limits_[key] = row;
  return {};
}

Result<std::vector<wire::Budget>> Budgets::list(int64_t now_us) {
  CODEXOS_TRY(load(now_us));
  std::vector<wire::Budget> out;
  // Not limits_: the budgets of tasks that were forgotten since are still there.
  CODEXOS_ASSIGN(const auto rows, store_.budgets().all());
  for (const BudgetRow& row : rows) {
    if (row.scope.rfind("task:", 0) == 0) CODEXOS_TRY(know_task(row.scope.substr(5)));
    for (const BudgetView& view : views_of({row.scope})) {
      if (view.period != row.period) continue;
      wire::Budget b;
      b.scope = view.scope;
      b.period = view.period;
      b.limits = view.limits;
      b.soft_percent = view.soft_percent;
      b.tokens = view.spent.tokens;
      b.requests = view.spent.requests;
      b.cost_micros = view.spent.cost_micros;
      const int64_t since_us = view.period == wire::BudgetPeriod::day     ? day_us_
                               : view.period == wire::BudgetPeriod::month ? month_us_
                                                                          : 0;
      if (since_us != 0) b.since = format_time(since_us);
      for (const auto& [id, open] : open_) {
        const auto scopes = scopes_of(open);
        if (open.at_us < since_us ||
            std::find(scopes.begin(), scopes.end(), view.scope) == scopes.end())
          continue;
        b.reserved_tokens += open.tokens;
        b.reserved_cost_micros += open.cost_micros;
      }
      out.push_back(std::move(b));
    }
  }
  return out;
}

}  // namespace codexos::daemon
