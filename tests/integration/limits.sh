#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# --timeout and --idle-timeout end a task with 124, inside the shim, with or without a daemon.
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

work
before=$(date +%s)
expect_code 124 codexos run --name t --timeout 1s -- sleep 60
[ $(($(date +%s) - before)) -le 8 ] || fail 'too late'
expect_eq "$(field t '.cause + " " + .state')" 'time_limit timed_out'
expect_code 124 codexos run --timeout 1s -- sh -c 'trap "" TERM; while :; do sleep 0.1; done'
expect_code 124 codexos run --timeout 500ms -- sleep 60
expect_ok codexos run --timeout 1m -- true
step 'idle'
expect_code 124 codexos run --name i --idle-timeout 1s -- sh -c 'for i in 1 2 3 4 5; do echo $i; sleep 0.5; done; sleep 60'
expect_eq "$(field i .cause)" idle_limit
expect_has "$out" 5
step 'without a daemon'
codexos run -d --name alone --timeout 2s -- sleep 60 >/dev/null
pid=$(daemon_pid); kill -KILL "$pid"; wait_until 5 dead "$pid"
sleep 3
expect_code 124 codexos wait alone
step 'bad values'
for v in -1s 0x5 5parsecs '' 99999999999999999999h; do
  expect_error 125 '' codexos run --timeout "$v" -- true
done
