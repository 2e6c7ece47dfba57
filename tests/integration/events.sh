#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Events count from 1 without gaps, end with exactly one task.ended, and are valid by the schema.
# needs: python3
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

work
expect_code 3 codexos run --name e -- sh -c 'echo x >new; exit 3'
expect_ok codexos --json events e
printf '%s\n' "$out" >events
expect_eq "$(jq -s 'map(.seq) == [range(1; length + 1)]' events)" true 'seq'
expect_eq "$(jq -s -r 'map(.type)|join(" ")' events)" 'task.created task.started task.ended'
expect_eq "$(jq -s -r '.[-1]|[.cause,.exit_code,.signal,.state]|map(tostring)|join(" ")' events | sed 's/ null / 0 /')" 'exited 3 0 failed'
expect_eq "$(jq -s 'all(.[]; .v==1 and (.ts|test("^20[0-9]{2}-..-..T..:..:..\\.[0-9]{6}Z$")) and (.task|test("^[a-z2-7]{12}$")))' events)" true
expect_eq "$(jq -s -r '.[0]|[.isolation,.seccomp,.network]|join(" ")' events)" 'full default none'
expect_ok codexos --json events --from 2 e
expect_eq "$(jq -s 'map(.seq)' -c <<<"$out")" '[2,3]'
step '-f ends with the task'
codexos run -d --name f -- sh -c 'sleep 1; exit 2' >/dev/null
expect_ok timeout 20 codexos --json events -f f
expect_eq "$(jq -s -r '[.[]|select(.type=="task.ended")]|length' <<<"$out")" 1
step 'all tasks'
expect_ok codexos --json events
expect_eq "$(jq -s 'map(select(.type=="task.ended"))|length' <<<"$out")" 2
expect_eq "$(jq -s 'map(.ord) | . == (sort | unique) and all(.[]; type == "number")' <<<"$out")" true 'their order'
all=$out
step 'all tasks, from where one was'
for at in 2 4; do
  expect_ok codexos --json events --from "$(jq -s ".[$at].ord" <<<"$all")"
  expect_eq "$out" "$(tail -n +$((at + 1)) <<<"$all")" "from number $at"
done
timeout 20 codexos --json events -f --from "$(jq -s '.[-1].ord + 1' <<<"$all")" >rest 2>/dev/null &
expect_ok codexos run --name g -- true
wait_until 10 grep -q task.ended rest
kill $! 2>/dev/null || true
expect_eq "$(jq -r .task rest | sort -u)" "$(field g .id)"
expect_eq "$(jq -r .type rest | xargs)" 'task.created task.started task.ended'
expect_ok codexos events e
expect_has "$out" 'task.ended'
step 'the schema'
schema=$ROOT/schema/event.schema.json
if [ -e "$schema" ] && python3 -c 'import jsonschema' 2>/dev/null; then
  python3 -c '
import json, jsonschema, sys
schema = json.load(open(sys.argv[1]))
for line in open("events"): jsonschema.validate(json.loads(line), schema)' "$schema"
fi
