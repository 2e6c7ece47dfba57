#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The daemon is killed before each single call that changes something on the disk while a task asks a model, one after
# the other: what reached the provider is counted, a reservation that nobody settled counts in full, and none is left.
# needs: curl jq python3
# timeout: 600
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
# shellcheck source=tests/crash/faults.bash
. "$TESTS/crash/faults.bash"
# shellcheck source=tests/model.bash
. "$TESTS/model.bash"

work
model '[{"text": "Hello."}]'
mkdir -p ~/.config/codexos
cat >~/.config/codexos/providers.yaml <<Y
providers: [{name: local, wires: [openai], base_url: "http://127.0.0.1:$model_port/v1", models: [m], retries: 0, prices: [{model: m, input: 1, output: 2}]}]
Y
cat >asks.sh <<'S'
while [ ! -e stop ]; do
  if [ -e go ]; then
    mv go went
    curl -sS --max-time 20 -o /dev/null -w '%{http_code}' http://llm.codexos.internal/v1/chat/completions \
      -d '{"model":"m","max_tokens":500,"messages":[{"role":"user","content":"hi"}]}' >code 2>/dev/null
    mv code answered
  fi
  sleep 0.02
done
S
# `charges`: "requests tokens open" of the task so far.
charges() { codexos --json budget explain asks | jq -r '[.charges | length, ([.[].tokens] | add // 0), (map(select(.state == "reserved")) | length)] | join(" ")'; }
lost() { codexos --json budget explain asks | jq -r '[.charges[] | select(.state == "lost") | .tokens] | sort | first // 0'; }

up
expect_ok codexos run -d --name asks --models --mode direct --max-tokens 10000000 -- sh asks.sh
wait_until 20 state_is asks running
count=0 tokens=0 open=0 hits=0
for n in $(seq 100); do
  up
  wait_until 20 state_is asks running
  read -r count tokens open < <(charges)
  expect_eq "$open" 0 "before $n"
  served=$(wc -l <"$requests")
  rm -f answered went "$TMPDIR/fault.hit"
  printf 'any kill %s %s\n' "$n" "$RANDOM$RANDOM" >"$TMPDIR/fault"
  touch go
  wait_until 30 test -e answered
  [ -e "$TMPDIR/fault.hit" ] || sleep 0.3 # what follows the answer
  code=$(cat answered)
  rm -f "$TMPDIR/fault"
  if [ ! -e "$TMPDIR/fault.hit" ]; then
    expect_eq "$code $(charges)" "200 $((count + 1)) $((tokens + 110)) 0"
    break
  fi
  hits=$((hits + 1))
  wait_until 15 dead "$pid"
  up
  wait_until 20 state_is asks running
  read -r now_count now_tokens open < <(charges)
  expect_eq "$open" 0 "a reservation is open after a kill at $n"
  reached=$(($(wc -l <"$requests") - served))
  [ "$reached" -le $((now_count - count)) ] || fail "killed at $n: $reached requests reached the provider, $((now_count - count)) count"
  [ $((now_tokens - tokens)) -ge $((reached * 110)) ] || fail "killed at $n: $((now_tokens - tokens)) tokens count of $reached requests"
done
[ "$hits" -ge 4 ] || fail "only $hits calls were there to be killed at"
[ "$n" -lt 100 ] || fail 'there are always further calls'
step "$hits kills; what was lost counts as it was reserved"
[ "$(lost)" -gt 500 ] || fail "a lost request counts as $(lost) tokens"
touch stop
expect_ok codexos wait asks
expect_eq "$(codexos --json usage --by task | jq "[.lines[].used.requests] | add")" "$(charges | cut -d' ' -f1)"
