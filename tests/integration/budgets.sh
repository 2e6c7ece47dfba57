#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What models may use is reserved before it is spent: budgets are never overshot, and the program that
# wants more is told by HTTP 402.
# needs: curl jq
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
work

mkdir -p ~/.config/codexos
cat >~/.config/codexos/providers.yaml <<'Y'
providers:
  - {name: demo, wires: [scripted], models: [demo-1], script: script.yaml, prices: [{model: "*", input: 1, output: 2}]}
  - {name: own, wires: [openai], base_url: "http://127.0.0.1:9", models: [own-1], unpriced: allow, retries: 0}
Y
cat >~/.config/codexos/script.yaml <<'Y'
turns: [{reply: Hello from the script.}]
Y
url=http://llm.codexos.internal/v1/chat/completions
body='{"model":"demo-1","max_tokens":50,"messages":[{"role":"user","content":"hi"}]}'
ask="curl -sS --max-time 30 -o answer -w '%{http_code}\n' $url -d '$body'"

step 'a request is a charge: in its task, in events, in the usage'
expect_ok codexos run --models --name one -- sh -c "$ask"
expect_eq "$out" 200
expect_ok codexos --json budget explain one
expect_eq "$(jq -r '.charges|length' <<<"$out")" 1
expect_eq "$(jq -r '.charges[0]|[.state, .model, .status]|join(" ")' <<<"$out")" 'settled demo-1 200'
used=$(jq '.charges[0].tokens' <<<"$out")
cost=$(jq '.charges[0].cost_micros' <<<"$out")
expect_match "$used $cost" '^[1-9][0-9]* [1-9][0-9]*$' "nothing was counted: $out"
expect_eq "$(field one '.models|.input_tokens + .output_tokens')" "$used"
expect_eq "$(codexos --json events one | jq -r 'select(.type == "model.exchange")|.models.cost_micros')" "$cost"
expect_eq "$(codexos --json usage --by model | jq -r '.lines[0]|[.key, .used.requests, .used.cost_micros]|join(" ")')" "demo/demo-1 1 $cost"
expect_ok codexos usage --by day
expect_has "$out" "$(date -u +%F)"

step 'a cap in requests: 402, then the task has failed by it'
expect_code 124 codexos run --models --max-requests 2 --name capped -- sh -c "$ask; $ask; $ask; grep -q budget_exceeded answer && exit 3"
expect_eq "$out" $'200\n200\n402'
expect_eq "$(field capped '[.cause, .exit_code, .models.requests]|join(" ")')" 'budget 124 2'
expect_has "$(field capped .detail)" 'is 2 requests'
expect_eq "$(codexos --json events capped | jq -r 'select(.type == "denied")|[.what, .target]|join(" ")')" 'budget demo-1'
expect_eq "$(codexos diff --name-status capped)" 'A	answer'

step 'a program that gets by without is not blamed'
expect_ok codexos run --models --max-requests 1 -- sh -c "$ask; $ask; true"

step 'many at once against a cap in money: never more than it'
expect_ok codexos --json budget set tenant --max-cost 0.02
before=$(codexos --json budget show | jq '.budgets[]|select(.scope == "tenant").cost_micros')
expect_eq "$before" "$(codexos --json usage --by day | jq '[.lines[].used.cost_micros]|add')"
run_captured codexos run --models --name many -- sh -c "for i in \$(seq 64); do curl -sS --max-time 60 -o /dev/null -w '%{http_code}\n' $url -d '$body' & done; wait; exit 0"
expect_match "$out" 200
spent=$(codexos --json budget show | jq '.budgets[]|select(.scope == "tenant")|.cost_micros')
reserved=$(codexos --json budget show | jq '.budgets[]|select(.scope == "tenant")|.reserved_cost_micros')
[ "$spent" -le 20000 ] || fail "spent $spent of 20000"
expect_eq "$reserved" 0
expect_eq "$(codexos --json usage --by day | jq '[.lines[].used.cost_micros]|add')" "$spent"
expect_ok codexos budget set tenant --none

step 'a budget goes with its task, what was spent stays'
expect_ok codexos budget show capped
expect_has "$out" 'of 2'
capped=$(field capped .id) was=$(codexos --json usage --by day | jq '[.lines[].used.requests]|add')
codexos rm -f capped >/dev/null
expect_hasnt "$(codexos budget show)" "$capped"
expect_eq "$(codexos --json usage --by day | jq '[.lines[].used.requests]|add')" "$was"

step 'a model without a price does not pass a budget in money'
expect_code 124 codexos run --models --max-cost 1 --name unpriced -- sh -c "curl -sS -o answer -w '%{http_code}' $url -d '${body/demo-1/own-1}'; exit 1"
expect_eq "$out" 402
expect_has "$(field unpriced .detail)" 'no price of the model'
expect_ok codexos run --models --max-tokens 100000 -- sh -c "${ask/demo-1/own-1}"
expect_eq "$out" 502

step 'a soft cap is told; a task that runs gets more'
expect_ok codexos run -d --models --max-requests 2 --name raised -- sh -c "$ask; $ask; touch full; until $ask | grep 200; do sleep 0.1; done"
wait_until 20 eval 'codexos --json budget explain raised | jq -e ".charges|length == 2" >/dev/null'
expect_ok codexos budget raise raised --max-requests 5
expect_ok codexos wait raised
expect_eq "$(codexos --json events raised | jq -r 'select(.type == "task.limit")|.limit' | head -1)" requests
expect_error 2 'less than the task has now' codexos budget raise raised --max-requests 1

step 'a daemon that dies between reserve and settle: what was reserved counts'
cat >~/.config/codexos/script.yaml <<'Y'
turns: [{fault: {hang: true}}]
Y
expect_ok codexos run -d --models --max-tokens 5000 --name cut -- sh -c "curl -sS --max-time 60 -o answer $url -d '$body'; sleep 60"
wait_until 20 eval 'codexos --json budget explain cut | jq -e ".charges[0].state == \"reserved\"" >/dev/null'
held=$(codexos --json budget explain cut | jq '.charges[0].tokens')
kill -KILL "$(codexos --json daemon status | jq .pid)"
wait_until 20 eval 'codexos status >/dev/null 2>&1'
expect_eq "$(codexos --json budget explain cut | jq -r '.charges[0].state')" lost
expect_eq "$(codexos --json budget show cut | jq ".budgets[]|select(.scope|startswith(\"task:\"))|select(.tokens == $held)|.tokens")" "$held"
codexos kill cut >/dev/null

step 'budgets of agents, users and of everything together'
expect_ok codexos budget set agent:claude --period day --max-tokens 2000000 --soft 50
expect_match "$out" 'agent:claude +day +0 of 2000000'
expect_ok codexos budget set "user:$(id -u)" --period month --max-cost 50
expect_ok codexos budget show
expect_match "$out" "user:$(id -u) +month"
expect_has "$out" 'of $50.00'
expect_ok codexos budget set agent:claude --period day --none

step 'what is wrong is said'
expect_error 125 'must be more than 0' codexos run --models --max-tokens 0 -- true
expect_error 125 'no amount of US dollars' codexos run --models --max-cost 1e3 -- true
expect_error 2 'is none' codexos budget set planet:earth --max-tokens 5
expect_error 3 '' codexos budget set no-such-task --max-tokens 5
expect_error 2 'is needed' codexos budget set tenant
