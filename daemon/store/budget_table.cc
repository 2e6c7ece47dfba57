// SPDX-License-Identifier: Apache-2.0
#include "daemon/store/budget_table.h"

namespace codexos::daemon {
namespace {

#define SPENT_SUMS                                                                         \
  "count(*), ifnull(sum(tokens), 0), ifnull(sum(cost_micros), 0), ifnull(sum(input), 0), " \
  "ifnull(sum(cached_input), 0), ifnull(sum(output), 0) from charge "

}  // namespace

Status BudgetTable::prepare(const Database& db, std::function<Status()> begin_write,
                            std::function<Status(Statement&)> write) {
  begin_write_ = std::move(begin_write);
  write_ = std::move(write);
  return prepare_rows(
      db,
      {
          {put_,
           "insert or replace into budget (scope, period, max_tokens, max_requests, "
           "max_cost_micros, soft_percent) values (?1, ?2, ?3, ?4, ?5, ?6)"},
          {remove_, "delete from budget where scope = ?1 and period = ?2"},
          {all_,
           "select scope, period, max_tokens, max_requests, max_cost_micros, soft_percent "
           "from budget order by scope, period"},
          {insert_,
           "insert into charge (id, task, agent, uid, provider, model, at_us, state, tokens, "
           "cost_micros, input, cached_input, output, estimated, status) "
           "values (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'reserved', ?8, ?9, 0, 0, 0, 0, 0)"},
          {drop_, "delete from charge where id = ?1"},
          {settle_,
           "update charge set state = 'settled', tokens = ?2, cost_micros = ?3, input = ?4, "
           "cached_input = ?5, output = ?6, estimated = ?7, status = ?8 where id = ?1"},
          {count_reserved_, "select count(*) from charge where state = 'reserved'"},
          {lose_, "update charge set state = 'lost' where state = 'reserved'"},
          {last_id_, "select ifnull(max(id), 0) from charge"},
          {of_task_,
           "select id, task, agent, uid, provider, model, at_us, state, tokens, cost_micros, "
           "input, cached_input, output, estimated, status from charge where task = ?1 "
           "order by id limit ?2"},
          {by_spender_, "select agent, uid, " SPENT_SUMS "where at_us >= ?1 group by agent, uid"},
          {by_one_task_, "select task, 0, " SPENT_SUMS "where task = ?1"},
          {usage_task_,
           "select task, 0, " SPENT_SUMS "where at_us >= ?1 group by task order by max(id) desc"},
          {usage_agent_,
           "select agent, 0, " SPENT_SUMS "where at_us >= ?1 group by agent order by agent"},
          {usage_model_, "select provider || '/' || model, 0, " SPENT_SUMS
                         "where at_us >= ?1 group by provider, model order by provider, model"},
          {usage_day_, "select date(at_us / 1000000, 'unixepoch'), 0, " SPENT_SUMS
                       "where at_us >= ?1 group by 1 order by 1"},
      });
}

Status BudgetTable::put(const BudgetRow& row) {
  CODEXOS_TRY(begin_write_());
  Use use(put_);
  use->bind(row.scope);
  use->bind(name_of(row.period));
  use->bind(static_cast<int64_t>(row.limits.max_tokens));
  use->bind(static_cast<int64_t>(row.limits.max_requests));
  use->bind(static_cast<int64_t>(row.limits.max_cost_micros));
  use->bind(static_cast<int64_t>(row.soft_percent));
  return write_(*use);
}

Status BudgetTable::remove(const std::string& scope, wire::BudgetPeriod period) {
  CODEXOS_TRY(begin_write_());
  Use use(remove_);
  use->bind(scope);
  use->bind(name_of(period));
  return write_(*use);
}

Result<std::vector<BudgetRow>> BudgetTable::all() {
  Use use(all_);
  std::vector<BudgetRow> out;
  for (;;) {
    CODEXOS_ASSIGN(const bool more, use->step());
    if (!more) return out;
    BudgetRow row;
    row.scope = use->column_text();
    const auto period = find_enum<wire::BudgetPeriod>(use->column_text());
    if (!period) return Error{Code::internal, "unknown period in the database", {}};
    row.period = *period;
    row.limits.max_tokens = static_cast<uint64_t>(use->column_int());
    row.limits.max_requests = static_cast<uint64_t>(use->column_int());
    row.limits.max_cost_micros = static_cast<uint64_t>(use->column_int());
    row.soft_percent = static_cast<uint32_t>(use->column_int());
    out.push_back(std::move(row));
  }
}

Status BudgetTable::insert(const ChargeRow& row) {
  CODEXOS_TRY(begin_write_());
  Use use(insert_);
  use->bind(static_cast<int64_t>(row.id));
  use->bind(row.task);
  use->bind(row.agent);
  use->bind(static_cast<int64_t>(row.uid));
  use->bind(row.provider);
  use->bind(row.model);
  use->bind(row.at_us);
  use->bind(static_cast<int64_t>(row.tokens));
  use->bind(static_cast<int64_t>(row.cost_micros));
  return write_(*use);
}

Status BudgetTable::remove(uint64_t id) {
  CODEXOS_TRY(begin_write_());
  Use use(drop_);
  use->bind(static_cast<int64_t>(id));
  return write_(*use);
}

Status BudgetTable::settle(const ChargeRow& row) {
  CODEXOS_TRY(begin_write_());
  Use use(settle_);
  for (const uint64_t n :
       {row.id, row.tokens, row.cost_micros, row.input, row.cached_input, row.output})
    use->bind(static_cast<int64_t>(n));
  use->bind(int64_t{row.estimated});
  use->bind(int64_t{row.status});
  return write_(*use);
}

Result<uint64_t> BudgetTable::lose_reserved() {
  uint64_t n = 0;
  {
    Use use(count_reserved_);
    CODEXOS_ASSIGN(const bool found, use->step());
    if (found) n = static_cast<uint64_t>(use->column_int());
  }
  if (n == 0) return n;
  CODEXOS_TRY(begin_write_());
  Use use(lose_);
  CODEXOS_TRY(write_(*use));
  return n;
}

Result<uint64_t> BudgetTable::last_id() {
  Use use(last_id_);
  CODEXOS_ASSIGN(const bool found, use->step());
  return found ? static_cast<uint64_t>(use->column_int()) : 0;
}

Result<std::vector<ChargeRow>> BudgetTable::of_task(const std::string& task, int limit) {
  Use use(of_task_);
  use->bind(task);
  use->bind(int64_t{limit});
  std::vector<ChargeRow> out;
  for (;;) {
    CODEXOS_ASSIGN(const bool more, use->step());
    if (!more) return out;
    ChargeRow row;
    row.id = static_cast<uint64_t>(use->column_int());
    row.task = use->column_text();
    row.agent = use->column_text();
    row.uid = static_cast<uint32_t>(use->column_int());
    row.provider = use->column_text();
    row.model = use->column_text();
    row.at_us = use->column_int();
    row.state = use->column_text();
    row.tokens = static_cast<uint64_t>(use->column_int());
    row.cost_micros = static_cast<uint64_t>(use->column_int());
    row.input = static_cast<uint64_t>(use->column_int());
    row.cached_input = static_cast<uint64_t>(use->column_int());
    row.output = static_cast<uint64_t>(use->column_int());
    row.estimated = use->column_int() != 0;
    row.status = static_cast<int>(use->column_int());
    out.push_back(std::move(row));
  }
}

Result<std::vector<SpentRow>> BudgetTable::read_spent(Statement& s) {
  std::vector<SpentRow> out;
  for (;;) {
    CODEXOS_ASSIGN(const bool more, s.step());
    if (!more) return out;
    SpentRow row;
    row.key = s.column_text();
    row.uid = static_cast<uint32_t>(s.column_int());
    for (uint64_t* n :
         {&row.requests, &row.tokens, &row.cost_micros, &row.input, &row.cached_input, &row.output})
      *n = static_cast<uint64_t>(s.column_int());
    out.push_back(std::move(row));
  }
}

Result<std::vector<SpentRow>> BudgetTable::by_spender(int64_t since_us) {
  Use use(by_spender_);
  use->bind(since_us);
  return read_spent(*use);
}

Result<SpentRow> BudgetTable::by_task(const std::string& task) {
  Use use(by_one_task_);
  use->bind(task);
  CODEXOS_ASSIGN(auto rows, read_spent(*use));
  return rows.empty() ? SpentRow{} : std::move(rows.front());
}

Result<std::vector<SpentRow>> BudgetTable::usage(std::string_view by, int64_t since_us) {
  struct Row {
    std::string_view by;
    Statement& statement;
  };
  const Row rows[] = {
      {"task", usage_task_}, {"agent", usage_agent_}, {"model", usage_model_}, {"day", usage_day_}};
  for (const Row& row : rows) {
    if (row.by != by) continue;
    Use use(row.statement);
    use->bind(since_us);
    return read_spent(*use);
  }
  return Error{Code::invalid, "by: task, agent, model or day is expected", {}};
}

}  // namespace codexos::daemon
