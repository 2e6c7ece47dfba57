#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# opencode from npm, found in ~/.local/bin, does jobs with a key.
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
auth=(-e OPENROUTER_API_KEY=sk-key --key-for any)
agent_does_a_job
expect_eq "$(jq -r 'select(.path|endswith("/completions")).authorization' "$requests" | sort -u)" 'Bearer sk-key'
agent_goes_on
agent_fails
agent_ends
