-- SPDX-License-Identifier: Apache-2.0
-- What a task may reach by name, which can be changed while it runs, and what went to and fro.
--
-- Applied once, in a transaction, by daemon/store/migrate.cc; never changed afterwards (a unit test
-- pins its hash): the next change is the next file.

alter table task add column net_json text;  -- JSON of wire::TaskNet; null: it has no network
