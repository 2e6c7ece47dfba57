#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Codex CLI from npm, found below nvm, does jobs with a key and with a login.
# long
# needs: node npm git python3 jq
# timeout: 900
# alone
# shellcheck source=tests/journey/agents.sh
. "$(dirname "${BASH_SOURCE[0]}")/../agents.sh"

agent=codex
agent_home codex "$codex_package" nvm
repo
set_model() {
  agent_extra=(-m fake-1 -c model_provider=fake
    -c "model_providers.fake={name=\"fake\",base_url=\"http://127.0.0.1:$model_port/v1\",wire_api=\"responses\",$login}")
}

login='env_key="CODEX_API_KEY"'
agent_options=(-e CODEX_API_KEY=sk-key)
agent_does_a_job
expect_eq "$(jq -r 'select(.path|endswith("/responses")).authorization' "$requests" | sort -u)" 'Bearer sk-key'
agent_goes_on
agent_fails
agent_ends

step 'with the login of the user, shared once'
mkdir -p ~/.codex
printf '{"auth_mode":"apikey","OPENAI_API_KEY":"sk-login"}\n' >~/.codex/auth.json
chmod 600 ~/.codex/auth.json
expect_ok codexos agent login-share codex
login='requires_openai_auth=true'
agent_options=()
model "$job_turns"
expect_ok run_agent -- 'a job with a login'
expect_eq "$(jq -r 'select(.path|endswith("/responses")).authorization' "$requests" | sort -u)" 'Bearer sk-login'
expect_eq "$(codexos --json inspect 2>/dev/null | json .agent.auth)" login
