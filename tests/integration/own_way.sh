#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# An agent that talks to its provider itself, with a key or a login that its task has placeholders of, is counted and
# bounded like one behind the model gateway.
# needs: curl jq python3
# timeout: 180
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
# shellcheck source=tests/secrets.bash
. "$TESTS/secrets.bash"
# shellcheck source=tests/model.bash
. "$TESTS/model.bash"

eval_agent
model_tls=$NET
model '[{"text": "Hello.", "hang": 60}]' # only to who has tools
host=good.test:$model_port
U=https://$host
fake_preset "[\"$host,private\"]" <<YAML
keys: [FAKE_KEY]
held: {FAKE_KEY: {hosts: ["$host"], header: x-api-key}}
login:
  file: ~/.fake/cred.json
  link: .fake/cred.json
  keys: [oauth]
  needs: oauth.access
  tokens: {oauth.access: {hosts: ["$host"]}}
YAML
repo
agent() { run_net "$1" -a fake -e "U=$U" "${@:2}"; }
with_key() { agent "$1" -e FAKE_KEY=sk-fake-0123456789abcdef "${@:2}"; }
last() { codexos --json inspect "$1" | jq -r "$2"; }
got() { jq -r "select(.path | test(\"$1\")) | $2" "$requests"; }
used() { last "$1" '.models|[.requests, .input_tokens, .cached_input_tokens, .output_tokens, .cost_micros, .estimated]|join(" ")'; }
ask='curl -sS --max-time 30 -o answer -w "%{http_code}\n" -H "X-Api-Key: $FAKE_KEY" -H "Content-Type: application/json"'
body='{"model":"some-1","max_tokens":500,"messages":[{"role":"user","content":"hi"}]}'
message="$ask -d '$body' \$U/v1/messages"

step 'what it used is in the task, in its events, in the usage and in the record'
with_key one "$message; grep -q 'a title' answer"
expect_eq "$code $out" '0 200' "$err"
expect_eq "$(used one)" '1 100 20 10 0 0'
expect_eq "$(codexos --json events one | jq -r 'select(.type == "model.exchange")|[.provider, .model, .status]|join(" ")')" 'good.test some-1 200'
expect_eq "$(codexos --json usage --by agent | jq -r '.lines[]|[.key, .used.requests]|join(" ")')" 'fake 1'
expect_has "$(cat "$CODEXOS_HOME/tenants/default/tasks/$(last one .id)/model.log")" '"provider":"good.test"'
expect_hasnt "$(cat "$CODEXOS_HOME/tenants/default/tasks/$(last one .id)/model.log")" sk-fake-0123456789abcdef
expect_eq "$(got messages .authorization)" sk-fake-0123456789abcdef
step 'streamed, in chunks, when asked to go on, and with the other wires'
with_key stream "$ask -d '${body/\{/\{\"stream\":true,}' \$U/v1/messages; grep -q message_stop answer"
expect_eq "$code $(used stream)" '0 1 100 20 10 0 0' "$err"
with_key chunked "printf '%s' '$body' | $ask -H 'Transfer-Encoding: chunked' -H 'Expect: 100-continue' --data-binary @- \$U/v1/messages"
expect_eq "$out $(used chunked)" '200 1 100 20 10 0 0' "$err"
for path in v1/responses api/v1/chat/completions backend-api/codex/responses; do
  with_key "$(tr / - <<<"$path")" "$ask -d '{\"model\":\"some-1\",\"stream\":true,\"input\":[],\"messages\":[]}' \$U/$path"
  expect_eq "$out $(used "$(tr / - <<<"$path")")" '200 1 100 20 10 0 0' "$path: $err"
done

step 'a provider of providers.yaml has a name and a price'
cat >~/.config/codexos/providers.yaml <<YAML
providers: [{name: demo, wires: [anthropic, openai], base_url: "$U/v1", models: ["some-*"], prices: [{model: "some-*", input: 1, cached_input: 0.5, output: 2}]}]
YAML
with_key priced "$message"
expect_eq "$out $(used priced)" '200 1 100 20 10 110 0' "$err"
expect_eq "$(codexos --json usage --by model | jq -r '.lines[]|select(.key == "demo/some-1").used.cost_micros')" 110

step 'a cap: 402 in its wire, nothing is sent, the end is that of a budget'
: >"$requests"
with_key capped --max-requests 2 "$message; $message; $message; grep -q '\"type\":\"error\"' answer && exit 3"
expect_eq "$code $out" $'124 200\n200\n402' "$err"
expect_eq "$(last capped '[.cause, .exit_code, .models.requests]|join(" ")')" 'budget 124 2'
expect_eq "$(got messages .path | wc -l)" 2
expect_eq "$(codexos --json events capped | jq -r 'select(.type == "denied")|[.what, .target]|join(" ")')" 'budget some-1'
expect_eq "$(codexos diff --name-status capped)" 'A	answer'
with_key money --max-cost 0.000100 "$message"
expect_eq "$out" 402
step 'what is left is the most that it may be answered'
: >"$requests"
with_key clamped --max-tokens 2600 "$ask -d '${body/500/9000}' \$U/v1/messages"
expect_eq "$out" 200 "$err $(last clamped '.events')"
most=$(got messages .most)
{ [ "$most" -ge 1024 ] && [ "$most" -lt 2600 ]; } || fail "asked for $most"
step 'also of a body in zstd, which is plain then'
: >"$requests"
coded=KLUv/QRYkQEAeyJtb2RlbCI6InNvbWUtMSIsIm1heF90b2tlbnMiOjkwMDAsIm1lc3NhZ2VzIjpbXX0DL8fi
with_key coded --max-tokens 2600 "echo $coded | base64 -d >b; $ask -H 'Content-Encoding: zstd' --data-binary @b \$U/v1/messages"
most=$(got messages .most)
{ [ "$out" = 200 ] && [ "$most" -ge 1024 ] && [ "$most" -lt 2600 ]; } || fail "$out: asked for $most: $err"
step 'many at once: never more than the cap'
: >"$requests"
with_key many --max-requests 5 "for i in \$(seq 24); do curl -sS --max-time 60 -o /dev/null -H \"X-Api-Key: \$FAKE_KEY\" -d '$body' \$U/v1/messages & done; wait"
expect_eq "$(got messages .path | wc -l) $(last many .models.requests)" '5 5'

step 'a connection that is kept goes on behind a refusal'
with_key kept --max-requests 1 "curl -sS -o /dev/null -w '%{http_code} %{num_connects}\n' -H \"X-Api-Key: \$FAKE_KEY\" -d '$body' \$U/v1/messages -o /dev/null \$U/v1/messages -o /dev/null \$U/v1/other"
expect_eq "$out" $'200 1\n402 0\n402 0' "$err"

step 'what hides from being counted is refused where there is a budget, and goes through where there is none'
for path in /v1//messages /v1/%6dessages /v1/messages/batches /v1/x/../messages '/v1/messages;x'; do
  : >"$requests"
  codexos rm hidden >/dev/null 2>&1 || true
  with_key hidden --max-tokens 100000 "$ask --path-as-is -d '$body' '$U$path'"
  expect_eq "$out $(wc -l <"$requests")" '402 0' "$path: $err"
done
expect_has "$(codexos --json events hidden)" 'cannot be counted'
with_key free "$ask --path-as-is -d '$body' \$U/v1/images/generations"
expect_eq "$out" 404 "$err"
step 'where only requests are bounded, they count also when nobody knows what they use'
: >"$requests"
with_key unknown --max-requests 2 "for p in /v1//messages /a%20b/messages '/x;y/messages' /x//messages; do $ask --path-as-is -d '$body' \$U\$p; done"
expect_eq "$(grep -c 402 <<<"$out") $(wc -l <"$requests")" '2 2' "$out $err"
step 'what a server could take for another request is no way around'
: >"$requests"
smuggled=$(printf 'POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 79\r\nX-Ignore: ')
with_key smuggles --max-tokens 2000 "printf %s '$(base64 -w0 <<<"$smuggled")' | base64 -d >s; for m in GET HEAD OPTIONS; do $ask -X \$m --data-binary @s \$U/x; done
  $ask -X GET -H 'X-HTTP-Method-Override: POST' \$U/v1/batches; $ask -H 'Content_Length: 5' \$U/x; $ask -H 'Connection: content-length' \$U/x"
expect_eq "$(sort -u <<<"$out" | xargs) $(wc -l <"$requests")" '402 403 0' "$err"
step 'an answer that comes later counts for nothing now, so that it is refused'
: >"$requests"
with_key later --max-tokens 100000 "$ask -d '{\"model\":\"some-1\",\"background\":true,\"input\":\"x\"}' \$U/v1/responses"
expect_eq "$out $(wc -l <"$requests")" '402 0' "$err"
step 'a body of very many values is not read, and stalls nobody'
with_key rich "python3 -c 'print(\"{\\\"model\\\":\\\"some-1\\\",\\\"extra\\\":[\" + \"0,\" * 3000000 + \"0],\\\"messages\\\":[]}\")' >b; time -p $ask --data-binary @b \$U/v1/messages"
expect_has "$out" 200 "$err"
expect_ok codexos daemon status
step 'nor can an upgrade hide it'
with_key upgrade "$ask -H 'Connection: Upgrade' -H 'Upgrade: websocket' -d '' \$U/v1/responses; cat answer"
expect_has "$out" 426
step 'a body that cannot be read is sent on, and its answer counts; where there is a budget it is refused'
: >"$requests"
with_key odd "$ask -H 'Content-Encoding: zstd' -d 'xyz' \$U/v1/messages"
expect_eq "$out $(last odd .models.requests)" '200 1' "$err"
with_key odd-capped --max-tokens 10000000 "$ask -H 'Content-Encoding: zstd' -d 'xyz' \$U/v1/messages"
expect_eq "$out $(got messages .path | wc -l)" '402 1' "$err"

step 'a login is counted in tokens, and costs nothing'
printf '{"oauth":{"access":"sk-at-0000-canary-access-token"}}\n' >~/.fake/cred.json
chmod 600 ~/.fake/cred.json
expect_ok codexos agent login-share fake
bearer="curl -sS -o answer -w '%{http_code}\n' -H \"Authorization: Bearer \$(jq -r .oauth.access ~/.fake/cred.json)\" -d '$body' \$U/v1/messages"
agent login "$bearer"
expect_eq "$out $(used login)" '200 1 100 20 10 0 0' "$err"
agent login-money --max-cost 0.000001 "$bearer"
expect_eq "$out" 200 "$err"
expect_has "$(last login-money '.notes|join(" ")')" '--max-cost'
agent login-capped --max-tokens 200 "$bearer; exit 1"
expect_eq "$code $out" '124 402' "$err"

step 'a server that cannot be reached costs nothing'
with_key gone -e "U=https://good.test:1" --key-for good.test:1 --allow good.test:1,private "$ask -d '$body' \$U/v1/messages; true"
expect_eq "$(last gone .models)" null "$out $err"

step 'where nobody could count, no agent starts with a budget'
expect_error 125 'cannot be counted' codexos run --key-for any --max-tokens 100 -e FAKE_KEY=sk-fake-0123456789abcdef -a fake true

step 'a request that is cut off counts as far as it is known'
with_key cut "$ask -d '${body/\{/\{\"tools\":[{\"name\":\"bash\"\}],}' --max-time 2 \$U/v1/messages; true"
expect_eq "$(last cut '.models|[.requests, .estimated, .input_tokens > 10]|join(" ")')" '1 1 true'
expect_eq "$(codexos --json budget explain cut | jq -r '.charges[0].state')" settled

step 'a mistake in providers.yaml stops what it would count, with the place of the mistake'
echo 'providers: [{nam: x}]' >~/.config/codexos/providers.yaml
with_key broken "$ask -d '$body' \$U/v1/messages; cat answer"
expect_has "$out" 403 "$err"
expect_has "$out" 'providers.yaml:1'
agent other --secret key "curl -sS -H \"Authorization: Bearer \$KEY\" $URL/hello"
expect_has "$out" 'key is ****' "$err"
