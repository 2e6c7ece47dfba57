-- SPDX-License-Identifier: Apache-2.0
-- Which projects' .codexos.yaml may widen what their tasks may do (`codexos trust`).

create table trust (
  path        text not null primary key,  -- of the file, resolved
  sha256      text not null,              -- of its content: a changed file is not trusted
  dev         integer not null,           -- of the folder it lies in: another one at that path is not meant
  ino         integer not null,
  widens_json text not null,              -- what the user was told that it widens
  at_us       integer not null
) strict;
