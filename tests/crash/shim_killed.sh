#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A shim that is killed takes its task with it: 137 and sandbox_killed, no process left; with the daemon dead as well: lost.
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

work
shim_of() { field "$1" .pid; }
codexos run -d --name s -- sleep 4711.25 >/dev/null
wait_until 10 eval '[ "$(processes_with "sleep 4711.25")" -ge 1 ]'
shim=$(shim_of s)
alive "$shim" || fail "the pid of inspect ($shim) is no process"
kill -KILL "$shim"
expect_code 137 timeout 20 codexos wait s
expect_eq "$(field s .cause)" sandbox_killed
wait_until 5 no_processes_with 'sleep 4711.25'
step 'both'
codexos run -d --name both -- sleep 4711.5 >/dev/null
wait_until 10 state_is both running
shim=$(shim_of both); pid=$(daemon_pid)
kill -KILL "$pid" "$shim"; wait_until 5 dead "$pid"; wait_until 5 dead "$shim"
expect_code 125 timeout 20 codexos wait both
expect_eq "$(field both '.state + " " + .cause')" 'lost lost'
expect_eq "$(codexos --json events both | jq -s -r '[.[]|select(.type=="task.ended")]|length')" 1
wait_until 5 no_processes_with 'sleep 4711.5'
step 'a foreground run whose shim dies'
{ code=0; codexos run --name fg -- sleep 4711.75 2>fg.err || code=$?; echo $code >fg.code; } &
wait_until 10 state_is fg running
kill -KILL "$(shim_of fg)"
wait_until 15 test -s fg.code
expect_eq "$(cat fg.code)" 137
expect_ok codexos run -- true
