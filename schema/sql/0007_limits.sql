-- SPDX-License-Identifier: Apache-2.0
-- The limits of a task, and what holds each of them (a list of wire::LimitHeld).
alter table task add column limits_json text not null default '[]';
