#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# stop ends a task by TERM and, after the grace, KILL; kill sends what it is told; both say what they did.
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

work
codexos run -d --name a -- sleep 300 >/dev/null
expect_ok codexos stop a
expect_eq "$(field a '.state + " " + .cause')" 'killed stopped'
expect_code 143 codexos wait a
step 'an ended task: 0 with a note'
expect_ok codexos stop a
expect_match "$err$out" '[a-z]' 'a note'
step 'grace'
codexos run -d --name deaf -- sh -c 'trap "" TERM; while :; do sleep 0.05; done' >/dev/null
wait_until 10 state_is deaf running
before=$(date +%s)
expect_ok codexos stop -t 1s deaf
[ $(($(date +%s) - before)) -le 8 ] || fail 'the grace was not kept'
expect_code 137 codexos wait deaf
expect_eq "$(field deaf .cause)" stopped
step 'a program that cleans up keeps its code'
codexos run -d --name clean -- sh -c 'trap "exit 33" TERM; echo up; while :; do sleep 0.05; done' >/dev/null
wait_until 10 eval 'codexos logs clean | grep -q up'
expect_ok codexos stop clean
expect_code 33 codexos wait clean
expect_eq "$(field clean .cause)" stopped
step 'kill'
codexos run -d --name k -- sleep 300 >/dev/null
expect_ok codexos kill k
expect_code 137 codexos wait k
codexos run -d --name h -- sh -c 'trap "echo hup" HUP; echo up; while :; do sleep 0.05; done' >/dev/null
wait_until 10 eval 'codexos logs h | grep -q up'
for s in HUP SIGHUP 1; do expect_ok codexos kill -s "$s" h; done
wait_until 10 eval 'codexos logs h | grep -q hup'
expect_eq "$(field h .state)" running
expect_error 2 'NOSUCH' codexos kill -s NOSUCH h
step 'several, and unknown ones'
codexos run -d --name m1 -- sleep 300 >/dev/null; codexos run -d --name m2 -- sleep 300 >/dev/null
expect_ok codexos stop m1 m2
expect_error 3 'nobody' codexos stop nobody
step 'no process of the task survives'
codexos run -d --name tree -- sh -c 'setsid sleep 4711.5 & setsid sh -c "sleep 4711.5 & wait" & sleep 4711.5' >/dev/null
wait_until 10 eval '[ "$(processes_with "sleep 4711.5")" -ge 3 ]'
expect_ok codexos kill tree
wait_until 10 no_processes_with 'sleep 4711.5'
