-- SPDX-License-Identifier: Apache-2.0
-- The vault (`codexos secret`): values lie here sealed only, see daemon/trust/sealing.h.

create table secret (
  name         text not null primary key,
  version      integer not null,   -- grows with each value
  binding_json text not null,      -- what it may be used for (wire::SecretBinding); sealed with it
  sealed       text not null,      -- hexadecimal
  created_us   integer not null,
  changed_us   integer not null
) strict;

-- What a task may use of them (a list of wire::SecretUse), and what its models used
-- (wire::ModelUse; null: none).
alter table task add column secrets_json text not null default '[]';
alter table task add column models_json text;
