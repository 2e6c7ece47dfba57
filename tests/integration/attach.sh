#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# attach joins a running task, forwards input, and exits with its code; detaching leaves it running.
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

work
step 'a task with a terminal'
codexos run -d -t --name term -- sh -c 'echo READY; while read -r l; do echo "got $l"; [ "$l" != end ] || exit 9; done' >/dev/null
expect_code 0 pty --send 'one\n' --expect 'got one' --send '\x1dd' -- codexos attach term
expect_eq "$(field term .state)" running
expect_code 9 pty --send 'two\n' --expect 'got two' --send 'end\n' -- codexos attach term
step 'two watchers at once'
codexos run -d --name seen -- sh -c 'sleep 1; for i in 1 2 3; do echo tick $i; sleep 0.2; done; exit 4' >/dev/null
for n in 1 2; do { code=0; codexos attach --no-stdin seen >watch.$n || code=$?; echo $code >code.$n; } & done
wait_until 20 test -s code.1 -a -s code.2
expect_eq "$(cat code.1 code.2 | xargs)" '4 4'
expect_has "$(cat watch.1)" 'tick 3'
step 'an ended task'
codexos attach seen >/dev/null 2>err && fail 'attach to an ended task succeeded with 0'
expect_code 125 codexos attach no-such-task
