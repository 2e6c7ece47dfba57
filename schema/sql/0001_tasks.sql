-- SPDX-License-Identifier: Apache-2.0
-- Tasks, their events, and the idempotency keys of one tenant.
--
-- Applied once, in a transaction, by daemon/store/migrate.cc; never changed afterwards (a unit test
-- pins its hash): the next change is the next file. Times are microseconds since the epoch, 0 is
-- "not yet". Columns named *_json hold the JSON of a wire type.

create table task (
  n               integer primary key,  -- order of creation; lists and cursors go by it
  id              text not null unique,
  tenant          text not null,
  name            text not null,        -- '' for none
  labels_json     text not null,
  argv_json       text not null,
  cwd             text not null,
  workspace       text not null,        -- '' for none
  workspace_dev   integer not null,
  workspace_ino   integer not null,
  mode            text not null,
  from_task       text not null,
  create_json     text not null,        -- the request as it came
  created_at_us   integer not null,
  -- From here on what may change.
  state           text not null check (state in ('queued', 'starting', 'running', 'paused',
                    'stopping', 'succeeded', 'failed', 'killed', 'timed_out', 'denied', 'lost')),
  activity        text not null,
  isolation       text not null,
  seccomp         text not null,
  network         text not null,
  landlock_abi    integer not null,
  cause           text not null,        -- '' until the end
  exit_code       integer,
  signal          integer,
  detail          text not null,
  started_at_us   integer not null,
  ended_at_us     integer not null,
  usage_json      text,
  changes_json    text,
  changes_state   text not null,
  notes_json      text not null,
  secret          text not null,        -- of tasks/<id>/shim.sock
  shim_pid        integer not null,
  shim_start_time integer not null,     -- clock ticks since boot
  boot_id         text not null,
  layers_json     text not null,        -- overlay roots and their layers, '' for none
  rm              integer not null check (rm in (0, 1))
) strict;

-- Names are unique among the tasks that exist.
create unique index task_name on task (name) where name <> '';
create index task_workspace on task (workspace);
-- The last task of a workspace whose changes wait: looked up at every start.
create index task_waiting on task (workspace) where changes_state = 'waiting';
-- What `ps` shows, and what a new daemon has to care for.
create index task_open on task (n)
  where state in ('queued', 'starting', 'running', 'paused', 'stopping')
     or changes_state = 'waiting';

create table event (
  ord   integer primary key,  -- global order, never used twice (see event_floor)
  task  text not null references task (id) on delete cascade,
  seq   integer not null,     -- from 1, without gaps
  type  text not null,
  json  text not null,
  unique (task, seq)
) strict;

-- A task ends once.
create unique index event_one_end on event (task) where type = 'task.ended';

-- Every `ord` up to `floor` is used up, even when its row is deleted: who follows the events by
-- cursor would miss one that comes again.
create table event_floor (
  only  integer primary key check (only = 1),
  floor integer not null
) strict;
insert into event_floor (only, floor) values (1, 0);

create table idempotency (
  uid           integer not null,
  key           text not null,
  request_hash  text not null,
  task          text not null references task (id) on delete cascade,
  created_at_us integer not null,
  primary key (uid, key)
) strict, without rowid;
create index idempotency_task on idempotency (task);
