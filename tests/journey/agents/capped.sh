#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A budget stops each of the three real agents, on both ways to a model: past the gateway with a key that it does not
# have, and through it. The end says why, exits 124, and its work is kept.
# long
# needs: node npm git python3 jq openssl
# timeout: 900
# alone
# shellcheck source=tests/journey/agents.sh
. "$(dirname "${BASH_SOURCE[0]}")/../agents.sh"
# shellcheck source=tests/trusted_network.bash
. "$TESTS/trusted_network.bash"

three_agents
mkdir -p ~/.config/codexos
cat >~/.config/codexos/providers.yaml <<'Y'
providers: [{name: demo, wires: [scripted], models: ["*"], script: script.yaml}]
Y
# It never ends by itself.
cat >~/.config/codexos/script.yaml <<'Y'
turns: [{reply: I will write a file., run: echo made by an agent >>made.txt}]
without_tools: a title
Y
model_tls=$NET
model '[{"text": "I will write a file.", "run": "echo made by an agent >>made.txt"}]'
readonly canary=canary-0123456789abcdef0123

# capped AGENT OPTION...: three requests, and no more.
capped() {
  local agent=$1
  shift
  : >"$requests"
  run_captured timeout 200 codexos run --max-requests 4 "${options[@]}" "$@" -a "$agent" 'write a file' -- "${extra[@]}"
  expect_eq "$code" 124 "$out
$err"
  expect_eq "$(last '"\(.cause) \(.models.requests)"')" 'budget 4'
  expect_has "$err" 'is 4 requests'
  expect_ok codexos diff
  expect_has "$out" '+made by an agent'
  expect_ok codexos discard
}
own=https://good.test:$model_port
past=(--allow "good.test:$model_port,private" --key-for "good.test:$model_port")
step 'claude, on its own way'
claude_at "$own"
capped claude "${past[@]}" -e "ANTHROPIC_API_KEY=sk-ant-api03-$canary"
expect_eq "$(jq -r 'select(.results != null).path' "$requests" | wc -l)" 4
step 'codex, on its own way'
codex_at "$own" 'env_key="CODEX_API_KEY"'
capped codex "${past[@]}" -e "CODEX_API_KEY=sk-proj-$canary"
expect_eq "$(jq -r 'select(.results != null).path' "$requests" | wc -l)" 4
step 'opencode, on its own way'
opencode_at "$own" ',"apiKey":"{env:OPENROUTER_API_KEY}"'
capped opencode "${past[@]}" -e "OPENROUTER_API_KEY=sk-or-v1-$canary"
expect_eq "$(jq -r 'select(.results != null).path' "$requests" | wc -l)" 4

url=http://llm.codexos.internal
step 'claude, by the gateway'
claude_at "$url"
capped claude --models -e ANTHROPIC_API_KEY=none
step 'codex, by the gateway'
codex_at "$url" 'env_key="CODEX_API_KEY"'
capped codex --models -e CODEX_API_KEY=none
step 'opencode, by the gateway'
opencode_at "$url" ',"apiKey":"none"'
capped opencode --models -e OPENROUTER_API_KEY=none
