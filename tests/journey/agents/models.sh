#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The three real agents do a job through the model gateway, without a key and with no other host to reach.
# long
# needs: node npm git python3 jq
# timeout: 900
# alone
# shellcheck source=tests/journey/agents.sh
. "$(dirname "${BASH_SOURCE[0]}")/../agents.sh"

three_agents
mkdir -p ~/.config/codexos
cat >~/.config/codexos/providers.yaml <<'Y'
providers: [{name: demo, wires: [scripted], models: ["*"], script: script.yaml, prices: [{model: "*", input: 1, cached_input: 0.5, output: 2}]}]
Y
cat >~/.config/codexos/script.yaml <<'Y'
turns:
  - {reply: I will write a file., run: echo made by an agent >made.txt}
  - {reply: All done.}
without_tools: a title
Y
url=http://llm.codexos.internal
# does_the_job AGENT OPTION... -- EXTRA...
does_the_job() {
  local agent=$1 options=()
  shift
  while [ "$1" != -- ]; do options+=("$1"); shift; done
  shift
  step "$agent"
  expect_ok timeout 200 codexos run --allow llm.codexos.internal "${options[@]}" -a "$agent" 'write a file' -- "$@"
  expect_eq "$out" $'I will write a file.\nAll done.'
  expect_ok codexos diff
  expect_has "$out" '+made by an agent'
  expect_has "$(cat "$CODEXOS_HOME/tenants/default/tasks/$(last .id)/model.log")" '"provider":"demo"'
  expect_eq "$(last '.agent.usage | "\(.input_tokens) \(.cached_input_tokens) \(.output_tokens)"')" '200 40 20'
  # What was recorded and charged is what the model says that it used: 80 + 20 cached in, 10 out, 110 micro-dollars.
  expect_eq "$(last '.models|[.requests >= 2, .input_tokens == .requests * 100, .cached_input_tokens == .requests * 20, .output_tokens == .requests * 10, .cost_micros == .requests * 110, .estimated]|join(" ")')" 'true true true true true 0'
  expect_eq "$(codexos --json budget explain "$(last .id)" | jq '[.charges[].cost_micros] | add')" "$(last .models.cost_micros)"
  expect_ok codexos discard
}
does_the_job claude -e "ANTHROPIC_BASE_URL=$url" -e ANTHROPIC_API_KEY=none -- --model any
does_the_job codex -e CODEX_API_KEY=none -- -m fake-1 -c model_provider=fake \
  -c "model_providers.fake={name=\"fake\",base_url=\"$url/v1\",wire_api=\"responses\",env_key=\"CODEX_API_KEY\"}"
does_the_job opencode -e OPENROUTER_API_KEY=none \
  -e "OPENCODE_CONFIG_CONTENT={\"provider\":{\"fake\":{\"npm\":\"@ai-sdk/openai-compatible\",\"name\":\"fake\",\"options\":{\"baseURL\":\"$url/v1\",\"apiKey\":\"none\"},\"models\":{\"fake-1\":{\"name\":\"fake-1\"}}}},\"model\":\"fake/fake-1\"}" \
  -- --model fake/fake-1
