#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Claude Code from npm, found below nvm, does jobs with a key and with a login.
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

auth=(-e ANTHROPIC_API_KEY=sk-key)
agent_does_a_job
expect_eq "$(jq -r .authorization "$requests" | sort -u)" sk-key
expect_eq "$(codexos --json inspect 2>/dev/null | json .agent.auth)" 'key ANTHROPIC_API_KEY'
agent_goes_on
agent_fails
agent_ends

step 'with the login of the user, shared once'
mkdir -p ~/.claude
printf '{"claudeAiOauth":{"accessToken":"sk-ant-oat01-login","refreshToken":"r","expiresAt":%s,"scopes":["user:inference","user:profile"],"subscriptionType":"max"}}\n' "$(($(date +%s) * 1000 + 36000000))" >~/.claude/.credentials.json
chmod 600 ~/.claude/.credentials.json
expect_ok codexos agent login-share claude
auth=()
model "$job_turns"
expect_ok run_agent -- 'a job with a login'
expect_eq "$(jq -r 'select(.path|startswith("/v1/messages")).authorization' "$requests" | sort -u)" 'Bearer sk-ant-oat01-login'
expect_eq "$(codexos --json inspect 2>/dev/null | json .agent.auth)" login
expect_ok codexos agent login-share --revoke claude
