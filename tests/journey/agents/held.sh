#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The three real agents work with the key and with the login that their user has, against a model behind TLS, and none
# of them has either: what is in their tasks are placeholders.
# long
# needs: node npm git python3 jq openssl zstd
# timeout: 900
# alone
# shellcheck source=tests/journey/agents.sh
. "$(dirname "${BASH_SOURCE[0]}")/../agents.sh"
# shellcheck source=tests/trusted_network.bash
. "$TESTS/trusted_network.bash"

three_agents
model_tls=$NET
set_model() { at=good.test:$model_port url=https://$at; }
readonly canary=canary-0123456789abcdef0123
# It looks for what its user has: in its environment, its home and what the task is shown.
readonly turns='[
  {"text": "I will look.", "run": "(env; cat ~/.claude/.credentials.json ~/.codex/auth.json ~/.local/share/opencode/auth.json /run/codexos/login/.[a-z]* /run/codexos/login/*; cat /proc/*/environ | tr \"\\\\0\" \"\\\\n\") 2>/dev/null | tee looked.txt | grep -c cxsec_; grep -rs cana[r]y /run /tmp ~/.claude ~/.codex ~/.local/share | cut -c1-200"},
  {"text": "All done."}]'

# works AGENT SENT OPTION...: does the job; each request to the model carried SENT.
works() {
  local agent=$1 sent=$2
  shift 2
  expect_ok timeout 200 codexos run --allow "$at,private" --key-for "$at" "${options[@]}" "$@" -a "$agent" 'look around' -- "${extra[@]}"
  expect_has "$out" 'All done.'
  expect_eq "$(jq -r 'select(.results != null and (.path | test("messages|responses|completions"))).authorization' "$requests" | sort -u)" "$sent"
  expect_eq "$(last .agent.placeholders)" true
  # It was counted as its model counts: 100 tokens in, 20 of them cached, 10 out.
  expect_eq "$(last '.models|[.input_tokens == .requests * 100, .cached_input_tokens == .requests * 20, .output_tokens == .requests * 10, .estimated, .requests > 1]|join(" ")')" 'true true true 0 true'
  expect_eq "$(last .models.requests)" "$(jq -r 'select(.results != null and (.path | test("messages|responses|completions"))).path' "$requests" | wc -l)"
  expect_has "$(codexos diff)" cxsec_
  expect_hasnt "$(codexos diff; codexos --json events; jq -r .said "$requests")" canary
  expect_has "$(codexos --json events | jq -r 'select(.type == "secret.used") | .what')" used
  expect_ok codexos discard
}

step 'claude with a key'
model "$turns"
claude_at "$url"
works claude "sk-ant-api03-$canary" -e "ANTHROPIC_API_KEY=sk-ant-api03-$canary"
step 'claude with a login'
mkdir -p ~/.claude
printf '{"claudeAiOauth":{"accessToken":"sk-ant-oat01-%s","refreshToken":"sk-ant-ort01-%s","expiresAt":%s,"scopes":["user:inference","user:profile"],"subscriptionType":"max"}}\n' "$canary" "$canary" "$(($(date +%s) * 1000 + 36000000))" >~/.claude/.credentials.json
chmod 600 ~/.claude/.credentials.json
expect_ok codexos agent login-share claude
model "$turns"
claude_at "$url"
works claude "Bearer sk-ant-oat01-$canary"

step 'codex with a key'
model "$turns"
codex_at "$url" 'env_key="CODEX_API_KEY"'
works codex "Bearer sk-proj-$canary" -e "CODEX_API_KEY=sk-proj-$canary"
step 'codex with a login'
mkdir -p ~/.codex
printf '{"auth_mode":"apikey","OPENAI_API_KEY":"sk-proj-%s"}\n' "$canary" >~/.codex/auth.json
chmod 600 ~/.codex/auth.json
expect_ok codexos agent login-share codex
model "$turns"
codex_at "$url" requires_openai_auth=true
works codex "Bearer sk-proj-$canary"

# Its own endpoint takes WebSockets, which would hide what is used, and bodies in zstd.
step 'codex with a subscription'
b64url() { printf '%s' "$1" | base64 -w0 | tr '+/' '-_' | tr -d =; }
claims='{"exp":4102444800,"email":"a@example.org","https://api.openai.com/auth":{"chatgpt_plan_type":"pro","chatgpt_account_id":"acc-1","chatgpt_user_id":"user-1"}}'
jwt() { printf '%s.%s.%s' "$(b64url '{"alg":"RS256","typ":"JWT"}')" "$(b64url "$claims")" "$canary-$1"; }
jq -n --arg a "$(jwt access)" --arg i "$(jwt ident)" --arg r "rt_0123456789abcdef_$canary" '{auth_mode: "chatgpt", OPENAI_API_KEY: null, last_refresh: (now | todate),
  tokens: {id_token: $i, access_token: $a, refresh_token: $r, account_id: "acc-1"}}' >~/.codex/auth.json
expect_ok codexos agent login-share codex
model "$turns"
# shellcheck disable=SC2034  # of works()
options=() extra=(-m gpt-5.1-codex -c "openai_base_url=\"$url/v1\"" -c "chatgpt_base_url=\"$url/backend-api/\"")
works codex "Bearer $(jwt access)"
expect_hasnt "$(codexos --json events | jq -r 'select(.type == "agent.limit").text')" Reconnecting
expect_eq "$(last '[.models.cost_micros, .agent.auth]|join(" ")')" '0 login'

# It asks before it reads outside of its folder, also where nobody is, so it is told what to read in a way that it
# does not see through.
looks() { printf '[{"text": "I will look.", "run": "eval $(echo %s | base64 -d)"}, {"text": "All done."}]' "$(printf '%s' "$1" | base64 -w0)"; }
step 'opencode with a key'
model "$(looks 'env >looked.txt; grep -rs cana[r]y ~/.local /run >>looked.txt; true')"
opencode_at "$url" ',"apiKey":"{env:OPENROUTER_API_KEY}"'
works opencode "Bearer sk-or-v1-$canary" -e "OPENROUTER_API_KEY=sk-or-v1-$canary"
step 'opencode with a login'
mkdir -p ~/.local/share/opencode
printf '{"openrouter":{"type":"api","key":"sk-or-v1-%s"}}\n' "$canary" >~/.local/share/opencode/auth.json
chmod 600 ~/.local/share/opencode/auth.json
expect_ok codexos agent login-share opencode
model "$(looks 'cat ~/.local/share/opencode/auth.json >looked.txt; grep -rs cana[r]y ~/.local /run >>looked.txt; true')"
opencode_at "$url" ''
works opencode "Bearer sk-or-v1-$canary"
