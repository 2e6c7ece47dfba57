#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# opencode from npm, found in ~/.local/bin, does jobs with a key and with a login.
# long
# needs: node npm git python3 jq
# timeout: 900
# alone
# shellcheck source=tests/journey/agents.sh
. "$(dirname "${BASH_SOURCE[0]}")/../agents.sh"

agent=opencode
agent_home opencode "$opencode_package" local
repo
set_model() {
  agent_options=(-e "OPENCODE_CONFIG_CONTENT={\"provider\":{\"fake\":{\"npm\":\"@ai-sdk/openai-compatible\",\"name\":\"fake\",\"options\":{\"baseURL\":\"http://127.0.0.1:$model_port/v1\"$key},\"models\":{\"fake-1\":{\"name\":\"fake-1\"}}}},\"model\":\"fake/fake-1\"}" "${auth[@]}")
}
agent_extra=(--model fake/fake-1)

key=',"apiKey":"{env:OPENROUTER_API_KEY}"'
auth=(-e OPENROUTER_API_KEY=sk-key)
agent_does_a_job
expect_eq "$(jq -r 'select(.path|endswith("/completions")).authorization' "$requests" | sort -u)" 'Bearer sk-key'
agent_goes_on
agent_fails
agent_ends

step 'with the login of the user, shared once'
mkdir -p ~/.local/share/opencode
printf '{"fake":{"type":"api","key":"sk-login"}}\n' >~/.local/share/opencode/auth.json
chmod 600 ~/.local/share/opencode/auth.json
expect_ok codexos agent login-share opencode
key='' auth=()
model "$job_turns"
expect_ok run_agent -- 'a job with a login'
expect_eq "$(jq -r 'select(.path|endswith("/completions")).authorization' "$requests" | sort -u)" 'Bearer sk-login'
expect_eq "$(codexos --json inspect 2>/dev/null | json .agent.auth)" login
