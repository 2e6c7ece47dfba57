-- SPDX-License-Identifier: Apache-2.0
-- Which keys of an SSH agent a task may sign in with, and where (a list of wire::SshKeyUse).

alter table task add column ssh_keys_json text not null default '[]';
