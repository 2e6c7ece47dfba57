#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Six detached tasks survive kill -9 of the daemon and report their own codes; each has one task.ended.
# timeout: 180
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

work
codexos daemon start >/dev/null 2>&1
for n in 1 2 3 4 5 6; do
  codexos run -d --name "t$n" -- sh -c "echo start $n; sleep $((n / 2 + 1)); echo end $n; exit $((20 + n))" >/dev/null
done
{ code=0; codexos run --name fg -- sh -c 'sleep 3; echo fg; exit 44' >fg.out 2>fg.err || code=$?; echo $code >fg.code; } &
wait_until 10 state_is fg running
pid=$(daemon_pid)
kill -KILL "$pid"; wait_until 5 dead "$pid"
step 'some end while there is no daemon'
sleep 2.5
for n in 1 2 3 4 5 6; do expect_code $((20 + n)) codexos wait "t$n"; done
wait_until 20 test -s fg.code
expect_eq "$(cat fg.code fg.out | xargs)" '44 fg'
expect_code 44 codexos wait fg
for t in t1 t2 t3 t4 t5 t6 fg; do
  expect_eq "$(codexos --json events $t | jq -s -r '[.[]|select(.type=="task.ended")]|length')" 1 "task.ended of $t"
  expect_eq "$(codexos --json events $t | jq -s 'map(.seq) == [range(1; length + 1)]')" true "seq of $t"
  expect_eq "$(field $t .cause)" exited
done
for n in 1 2 3 4 5 6; do expect_eq "$(codexos logs "t$n" | xargs)" "start $n end $n"; done
