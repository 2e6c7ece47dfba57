#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Of a task that has a secret as a file or in a variable its value stands in nothing that is kept: log, events,
# exchanges with models. Who runs it gets its output as it is.
# needs: jq python3 curl
# timeout: 240
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
work
cp "$TESTS/canary.py" .
value='cnry/"A1+b2?c3'$RANDOM$RANDOM
printf '%s\n' "$value" >"$SCRATCH/values"
printf %s "$value" | codexos secret set key >/dev/null
stars=$(printf '%*s' ${#value} '' | tr ' ' '*')
nothing_in() { expect_eq "$(python3 "$TESTS/canary.py" known "$SCRATCH/values" "$@")" '' 'values'; }
folder() { printf '%s/tenants/default/tasks/%s' "$CODEXOS_HOME" "$(field "$1" .id)"; }
# waits_for FILE: of what runs inside; `codexos exec` makes the file.
waits='waits_for() { until [ -e "$1" ]; do sleep 0.05; done; }'

step 'in every encoding, cut at every byte, on stdout and stderr; its own caller sees it'
expect_ok codexos run --name both --secret-value key -- sh -c 'printf %s "$KEY" | python3 canary.py print 1 2'
expect_has "$out" "<$value>"
expect_has "$err" "<$value>"
expect_ok codexos logs both
[ "$(grep -cE '^<\*+>$' <<<"$out")" -gt 40 ] || fail "stdout: ${out:0:1000}"
[ "$(grep -cE '^<\*+>$' <<<"$err")" -gt 40 ] || fail "stderr: ${err:0:1000}"
printf '%s\n%s' "$out" "$err" >said
nothing_in said

step 'the log is as long as the output, and has the rest of it as it was'
expect_ok codexos run --name rest --secret-file key -- sh -c 'seq 20000; cat /run/codexos/secrets/key; seq 20000'
printf '%s\n' "$out" >shown
codexos logs rest >logged
expect_eq "$(stat -c %s logged)" "$(stat -c %s shown)"
expect_eq "$({ diff logged shown || true; } | wc -l)" 4 'one line differs'
expect_has "$(cat logged)" "${stars}1"

step 'on a terminal'
expect_ok pty -- codexos run --name term --secret-value key -- sh -c 'printf %s "$KEY" | python3 canary.py print 1'
expect_has "$out" "<$value>"
codexos logs term >said
[ "$(grep -cE '^<\*+>.?$' said)" -gt 40 ] || fail "terminal: $(head -c 1000 said)"
nothing_in said

step 'a beginning is shown who is attached, and comes into the log when it is decided; across a restart of the daemon'
codexos run -d --name cut --secret-value key -- sh -c "$waits; printf '<%s' \"\${KEY%???}\"; waits_for 1; printf '%s>' \"\${KEY#\"\${KEY%???}\"}\"; waits_for 2; echo; echo end" >/dev/null
codexos attach --no-stdin cut >watched 2>watch.err &
watcher=$!
codexos logs -f cut >followed &
follower=$!
wait_until 20 grep -qF '<' followed
log=$(folder cut)/stdout.log
wait_until 20 eval '[ "$(head -c 1 "$log")" = "<" ]'
expect_eq "$(codexos logs cut)" '<'
pid=$(daemon_pid)
kill -KILL "$pid"
wait_until 10 dead "$pid"
codexos exec cut -- touch 1
wait_until 20 grep -qF "<$stars>" "$log"
codexos exec cut -- touch 2
expect_ok codexos wait cut
wait $watcher || fail "attach: $(cat watch.err)"
wait $follower || true
expect_eq "$(codexos logs cut)" "<$stars>"$'\nend'
expect_hasnt "$(cat followed)" "${value%???}"
expect_has "$(cat watched)" "${value: -3}>"$'\n'end

step 'what attach repeats of a terminal comes from the log'
codexos run -d -t --name replay --secret-value key -- sh -c "$waits; echo \"[\$KEY]\"; echo now; waits_for 1; exit 3" >/dev/null
wait_until 20 eval 'codexos logs replay | grep -q now'
codexos attach --no-stdin replay >repeated &
watcher=$!
wait_until 20 grep -q now repeated
codexos exec replay -- touch 1
wait $watcher || true
expect_has "$(cat repeated)" "[$stars]"
expect_hasnt "$(cat repeated)" "$value"
wait_until 20 ended replay

step 'names that it looks up, in events and in why'
token=$(printf %s "$value" | tr -dc 'A-Za-z0-9')
printf %s "$token" | codexos secret set name >/dev/null
lookup="curl -sS --max-time 5 http://\$NAME.example.org/ || true"
expect_ok codexos run --name asks --allow good.test --secret-value name -- sh -c "$lookup"
expect_eq "$(codexos --json events asks | jq -r 'select(.type == "denied") | .target')" "$(tr -c '*' '*' <<<"$token" | head -c ${#token}).example.org"
expect_hasnt "$(codexos --json events asks; codexos why asks; codexos --json why asks)" "$(tr '[:upper:]' '[:lower:]' <<<"$token")"

step 'the daemon that takes over knows it from the task; while the vault is locked what comes from inside is withheld'
printf 'a long passphrase' | codexos secret protect --passphrase >/dev/null
codexos run -d --name over --allow good.test --secret-value name -- sh -c "$waits; for n in 1 2 3; do waits_for \$n; curl -sS --max-time 5 http://\$NAME-\$n.example.org/; touch done-\$n; done" >/dev/null
targets() { codexos --json events over | jq -r 'select(.type == "denied") | .target' | sed "s/\*\*\**/*/"; }
wait_until 20 state_is over running
# The vault has another value meanwhile, and the task its own.
printf 'another value' | codexos secret rotate name >/dev/null
pid=$(daemon_pid)
kill -KILL "$pid"
wait_until 10 dead "$pid"
codexos ps >/dev/null
expect_eq "$(codexos --json secret status | jq -r .state)" locked
wait_until 20 eval 'codexos events over | grep -q adopted'
# Programs of exec get the value, too, so they come in while the vault is open.
expect_code 125 codexos exec over -- touch 1
expect_has "$err" locked
unlock() { printf 'a long passphrase' | codexos secret unlock >/dev/null; }
looked_up() { wait_until 20 eval '[ "$(targets | wc -l)" = '"$1"' ]'; }
unlock
codexos exec over -- touch 1
looked_up 1
expect_eq "$(targets)" '*-1.example.org'
mkfifo "$SCRATCH/locked"
codexos exec over -- sh -c 'echo in; read -r _; touch 2' <"$SCRATCH/locked" >in &
exec 3>"$SCRATCH/locked"
wait_until 20 grep -q in in
codexos secret lock >/dev/null
echo >&3
exec 3>&-
looked_up 2
expect_has "$(targets | tail -1)" '(withheld: '
wait
unlock
codexos exec over -- touch 3
looked_up 3
expect_eq "$(targets | tail -1)" '*-3.example.org'
expect_hasnt "$(codexos --json events over)" "$(tr '[:upper:]' '[:lower:]' <<<"$token")"

step 'what it says to a model, and what an agent says in other escapes than its log is searched for'
mkdir -p ~/.config/codexos
cat >~/.config/codexos/providers.yaml <<'Y'
providers:
  - {name: demo, wires: [scripted], models: [demo-1], script: script.yaml, prices: [{model: "*", input: 1, output: 2}]}
Y
echo 'turns: [{reply: Hello.}]' >~/.config/codexos/script.yaml
ask='jq -cn --arg v "$KEY" "{model:\"demo-1\",user:\$v,messages:[{role:\"user\",content:\$v}]}" | curl -sS --max-time 20 http://llm.codexos.internal/v1/chat/completions -d @-'
expect_ok codexos run --name model --allow llm.codexos.internal --secret-value key -- sh -c "$ask"
expect_has "$out" Hello
expect_has "$(cat "$(folder model)/model.log")" "\"content\":\"$stars"
escaped='import os; print("{\"t\":\"" + "".join("\\u%04x" % ord(c) for c in os.environ["KEY"]) + "\"}")'
expect_ok codexos run --name agent -a command --secret-value key 'a job' -- python3 -c "$escaped"
expect_has "$(codexos --json events agent | jq -r 'select(.type == "agent.text").text')" "{\"t\":\"$stars"

step 'nothing in the state folder'
printf '%s\n' "$token" "$(tr '[:upper:]' '[:lower:]' <<<"$token")" >>"$SCRATCH/values"
mapfile -t files < <(find "$CODEXOS_HOME" ! -readable -prune -o -type f -print)
nothing_in "${files[@]}"
