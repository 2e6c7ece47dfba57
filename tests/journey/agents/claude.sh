#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Claude Code from npm, found below nvm, does jobs with a key.
# long
# needs: node npm git python3 jq
# timeout: 900
# alone
# shellcheck source=tests/journey/agents.sh
. "$(dirname "${BASH_SOURCE[0]}")/../agents.sh"

agent=claude
agent_home claude "$claude_package" nvm
repo
expect_has "$(codexos agent show claude)" "$HOME/.nvm/versions/node/"
set_model() { agent_options=(-e "ANTHROPIC_BASE_URL=http://127.0.0.1:$model_port" "${auth[@]}"); }
# The port is known when the model runs.
agent_extra=(--model any)

auth=(-e ANTHROPIC_API_KEY=sk-key)  # as it is, since the model is without TLS
agent_does_a_job
expect_eq "$(jq -r .authorization "$requests" | sort -u)" sk-key
expect_eq "$(codexos --json inspect 2>/dev/null | json .agent.auth)" 'key ANTHROPIC_API_KEY'
agent_goes_on
agent_fails
agent_ends
