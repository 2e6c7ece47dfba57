#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# With --allow llm.codexos.internal a task reaches models without a key: here one that follows a script.
# needs: curl jq
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
work

mkdir -p ~/.config/codexos
cat >~/.config/codexos/providers.yaml <<'Y'
providers:
  - {name: demo, wires: [scripted], models: [demo-1, slow-1], script: script.yaml, prices: [{model: "*", input: 1, output: 2}]}
  - {name: gone, wires: [openai], base_url: "http://127.0.0.1:9", models: [gone-1], unpriced: allow, retries: 0}
Y
cat >~/.config/codexos/script.yaml <<'Y'
rules:
  - {match: {user: fail}, fault: {status: 402, message: used up}}
  - {match: {user: cut}, reply: one two three four, fault: {cut_after: 3}}
  - {match: {user: hang}, fault: {hang: true}}
turns: [{reply: Hello from the script.}]
Y
url=http://llm.codexos.internal
inside() { run_captured codexos run --allow llm.codexos.internal --name "$1" -- curl -sS --max-time 20 "${@:2}"; }
chat='{"model":"demo-1","messages":[{"role":"user","content":"hi"}]}'

step 'each wire answers'
inside a "$url/v1/chat/completions" -d "$chat"
expect_eq "$(jq -r '.choices[0].message.content' <<<"$out")" 'Hello from the script.' "$err"
expect_eq "$(field a .network)" 'by name'
inside b "$url/v1/messages?beta=true" -d '{"model":"demo-1","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}'
expect_eq "$(jq -r '.content[0].text' <<<"$out")" 'Hello from the script.'
inside c "$url/v1/responses" -d '{"model":"demo-1","input":"hi"}'
expect_eq "$(jq -r '.output[0].content[0].text' <<<"$out")" 'Hello from the script.'
inside d "$url/v1/models"
expect_has "$out" '"demo-1"'
inside e -I "$url/"
expect_has "$out" 'HTTP/1.1 200'

step 'streams, and a break in one'
inside f -N "$url/v1/chat/completions" -d "${chat%\}},\"stream\":true}"
expect_has "$out" 'data: [DONE]'
expect_eq "$(grep -c '"usage"' <<<"$out")" 1
inside g -N "$url/v1/chat/completions" -d '{"model":"demo-1","stream":true,"messages":[{"role":"user","content":"cut"}]}'
expect_ne "$code" 0
expect_has "$out" 'one '
expect_hasnt "$out" three

step 'errors in the format of the caller'
inside h -w '%{http_code}' "$url/v1/messages" -d '{"model":"demo-1","messages":[{"role":"user","content":"fail"}]}'
expect_has "$out" 'used up'
expect_has "$out" 402
inside i -w '%{http_code}' "$url/v1/chat/completions" -d '{"model":"other","messages":[]}'
expect_has "$out" model_not_found
inside j "$url/v1/messages" -d '{"model":"claude-haiku-4-5","messages":[]}'
expect_has "$out" ANTHROPIC_API_KEY
inside k -w '%{http_code}' "$url/v1/chat/completions" -d '{"model":"gone-1","messages":[]}'
expect_has "$out" 502

step 'the record of a task holds what was said'
log=$CODEXOS_HOME/tenants/default/tasks/$(field a .id)/model.log
expect_has "$(cat "$log")" '"content":"hi"'
expect_has "$(cat "$log")" '"cost_micros":120'
expect_eq "$(stat -c %a "$log")" 600

step 'another port is refused, and told'
run_captured codexos run --allow llm.codexos.internal:81 --name l -- curl -sS --max-time 5 "$url:81/"
expect_ne "$code" 0
run_captured codexos run --allow llm.codexos.internal --name m -- curl -sS --max-time 5 "$url:443/"
expect_ne "$code" 0
expect_eq "$(codexos --json events m | jq -c 'select(.type=="denied")|[.target,.port,.detail]')" \
  '["llm.codexos.internal",443,"the model gateway is at port 80"]'

step 'a task that was not allowed it does not find it, nor does a wildcard give it'
run_captured codexos run --allow good.test --name n -- curl -sS --max-time 5 "$url/"
expect_ne "$code" 0
run_captured codexos run --allow '*.codexos.internal' --name o -- curl -sS --max-time 5 "$url/"
expect_ne "$code" 0

step 'a task that waits for a model ends when it is told to'
id=$(codexos run -d --allow llm.codexos.internal -- sh -c "echo up; curl -sS $url/v1/chat/completions -d '{\"model\":\"demo-1\",\"messages\":[{\"role\":\"user\",\"content\":\"hang\"}]}'")
wait_until 20 sh -c "codexos logs $id | grep -q up"
codexos kill "$id" >/dev/null
expect_code 137 codexos wait "$id"

step 'a daemon that was started by itself reads what XDG_CONFIG_HOME says: as codexos-models(5) has it'
expect_ok codexos daemon stop
export XDG_CONFIG_HOME=$SCRATCH/config
mkdir -p "$XDG_CONFIG_HOME/codexos"
page=$ROOT/man/codexos-models.5
sed -n '/^providers:/,/^downgrade:/p' "$page" >"$XDG_CONFIG_HOME/codexos/providers.yaml"
sed -n '/^rules:/,/^without_tools:/p' "$page" >"$XDG_CONFIG_HOME/codexos/script.yaml"
inside p "$url/v1/chat/completions" -d '{"model":"demo","messages":[{"role":"user","content":"the weather?"}]}'
expect_eq "$(jq -r '.choices[0].message.content' <<<"$out")" 'It rains.' "$out $err"
