#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Codex CLI from npm, found below nvm, does jobs with a key.
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
  codex_at "http://127.0.0.1:$model_port" 'env_key="CODEX_API_KEY"'
  agent_extra=("${extra[@]}")
}

agent_options=(-e CODEX_API_KEY=sk-key --key-for any)
agent_does_a_job
expect_eq "$(jq -r 'select(.path|endswith("/responses")).authorization' "$requests" | sort -u)" 'Bearer sk-key'
agent_goes_on
agent_fails
agent_ends
