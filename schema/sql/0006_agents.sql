-- SPDX-License-Identifier: Apache-2.0
-- The agent that a task's job was given to, its conversation and what it used (wire::AgentRecord).
alter table task add column agent_json text;
