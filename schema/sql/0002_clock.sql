-- SPDX-License-Identifier: Apache-2.0
-- What it takes to judge a user's edits, and to find the layers that are still there.
--
-- By how much the wall clock was ahead of the time since boot when a task began, microseconds. The
-- same at its end says whether the clock was stepped meanwhile: only then can times of files be
-- compared with the task's. 0: not known (tasks of earlier versions).
alter table task add column clock_start_us integer not null default 0;

-- Ended tasks whose layers hold something: what a new daemon and retention look through.
create index task_layers on task (n) where changes_state in ('waiting', 'continued');
