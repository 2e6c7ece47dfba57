#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# run --json whose daemon dies in the middle prints every event and every byte once, task.ended last,
# and exits with the program's code.
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

work
longer_than() { [ "$(wc -l <stream)" -gt "$1" ]; }
more_lines() { wait_until 20 longer_than $(($(wc -l <stream) + 3)); }
codexos run -- true
for times in 1 3; do
  step "killed $times times"
  : >go
  { code=0; codexos --json run --mode direct --name "k$times" -- sh -c 'n=0; while [ -e go ]; do n=$((n+1)); echo line $n; echo err $n >&2; sleep 0.05; done; echo last; exit 44' >stream 2>err || code=$?; echo "$code" >code; } &
  for _ in $(seq "$times"); do
    more_lines
    pid=$(daemon_pid)
    kill -KILL "$pid"
    wait_until 5 dead "$pid"
  done
  more_lines
  rm go
  wait_until 30 test -s code
  expect_eq "$(cat code)" 44 "$(cat err)"
  expect_eq "$(jq -s 'map(select(.seq).seq) == [range(1; (map(select(.seq))|length) + 1)]' stream)" true 'seq, each once'
  expect_eq "$(jq -s -r '.[-1]|.type + " \(.exit_code)"' stream)" 'task.ended 44'
  expect_eq "$(jq -s '[.[]|select(.type=="task.ended")]|length' stream)" 1
  for fd in stdout stderr; do
    jq -r -j "select(.stream==\"$fd\").text" stream >got
    case $fd in stdout) codexos logs "k$times" 2>/dev/null >want ;; *) codexos logs "k$times" 2>want >/dev/null ;; esac
    cmp got want || fail "$fd differs from the log"
  done
  rm code
done
