-- SPDX-License-Identifier: Apache-2.0
-- The journal of what was written into workspaces: a row is on disk before anything of it is.
--
-- planned  content is being laid beside the workspace's; nothing that the user sees has changed
-- staged   tasks/<task>/applies/<id> says what is exchanged for what; a crash from here on is finished
--          or taken back by the next daemon
-- done, reverted    over

create table apply (
  n          integer primary key,  -- order
  id         text not null unique,
  task       text not null references task (id) on delete cascade,
  kind       text not null check (kind in ('apply', 'undo')),
  state      text not null check (state in ('planned', 'staged', 'done', 'reverted')),
  undoes     text not null,        -- of an undo: the id of the row that it undoes; else ''
  whole      integer not null check (whole in (0, 1)),  -- nothing of the task's changes was left
  paths      integer not null,
  staging    integer not null check (staging in (0, 1)),  -- staging folders may still be there
  commit_json text not null,       -- the commit that was made with it, or ''
  at_us      integer not null,
  done_at_us integer not null
) strict;

create index apply_task on apply (task);
-- What a new daemon has to finish.
create index apply_open on apply (n) where state in ('planned', 'staged') or staging = 1;
