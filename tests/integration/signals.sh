#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The CLI owns its task: signals are forwarded; a second INT stops it, a third kills it.
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

work
start() { # start NAME PROGRAM: a foreground run in the background, ready when it printed "ready"
  : >"$1.out"
  # An interactive shell gives its jobs default dispositions; a script's background jobs ignore INT and QUIT.
  python3 -c 'import os, signal, sys
for s in (signal.SIGINT, signal.SIGQUIT): signal.signal(s, signal.SIG_DFL)
os.execvp(sys.argv[1], sys.argv[1:])' codexos run --name "$1" -- sh -c "$2" >"$1.out" &
  pid=$!
  started+=("$pid")
  wait_until 15 grep -q ready "$1.out"
}
finish() { code=0; wait "$pid" 2>/dev/null || code=$?; }
for signal in HUP INT QUIT TERM USR1 USR2; do
  start "on-$signal" "trap 'echo got $signal; exit 21' $signal; echo ready; while :; do sleep 0.05; done"
  kill "-$signal" "$pid"
  finish
  expect_eq "$code" 21 "SIG$signal"
  expect_has "$(cat "on-$signal.out")" "got $signal"
done
step 'without a handler the program dies of it, and the CLI exits 128 + N'
start plain-term 'echo ready; exec sleep 60'
kill -TERM "$pid"; finish
expect_eq "$code" 143
expect_eq "$(field plain-term '.cause + " " + (.signal|tostring)')" 'signaled 15'
start plain-int 'echo ready; exec sleep 60'
kill -INT "$pid"; finish
expect_eq "$code" 130
step 'INT twice stops, thrice kills'
start deaf "trap '' INT TERM; echo ready; while :; do sleep 0.05; done"
kill -INT "$pid"; sleep 0.1
alive "$pid" || fail 'one INT ended a program that ignores it'
kill -INT "$pid"; sleep 0.1; kill -INT "$pid"
before=$(date +%s); finish
[ $(($(date +%s) - before)) -lt 8 ] || fail 'the third INT did not kill'
expect_eq "$code" 137
expect_eq "$(field deaf .cause)" stopped
step 'CONT and stop of the CLI: the task goes on'
start cont 'echo ready; sleep 1; exit 12'
kill -STOP "$pid"; kill -CONT "$pid"; finish
expect_eq "$code" 12
