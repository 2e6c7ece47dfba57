-- SPDX-License-Identifier: Apache-2.0
-- What models may cost, and every request that was made to one. Money: whole millionths of a US
-- dollar. What a budget has left follows from the charges; nothing is counted twice.

create table budget (
  scope           text not null,     -- tenant, user:UID, agent:NAME, task:ID
  period          text not null,     -- total, day, month
  max_tokens      integer not null,  -- 0: no limit; likewise below
  max_requests    integer not null,
  max_cost_micros integer not null,
  soft_percent    integer not null,
  primary key (scope, period)
) strict;

-- No foreign key to the task: what was spent stays spent when the task is forgotten.
create table charge (
  id           integer primary key,
  task         text not null,
  agent        text not null,     -- empty: none
  uid          integer not null,
  provider     text not null,
  model        text not null,
  at_us        integer not null,
  state        text not null,     -- reserved, settled, or lost: a crash came between, counts in full
  tokens       integer not null,  -- that count: reserved, then used
  cost_micros  integer not null,  -- likewise
  input        integer not null,
  cached_input integer not null,
  output       integer not null,
  estimated    integer not null,
  status       integer not null
) strict;

create index charge_of_task on charge (task);
create index charge_at on charge (at_us);
create index charge_reserved on charge (id) where state = 'reserved';
