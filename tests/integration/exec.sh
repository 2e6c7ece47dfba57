#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# exec runs one more program in the sandbox of a running task, with streams and codes as run.
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

work
codexos run -d --name host -e MARK=1 -- sh -c 'echo from-task >shared; exec sleep 300' >/dev/null
wait_until 10 eval 'codexos exec host -- test -e shared'
expect_ok codexos exec host -- cat shared
expect_eq "$out" from-task
expect_code 7 codexos exec host -- sh -c 'exit 7'
expect_code 143 codexos exec host -- sh -c 'kill -TERM $$'
expect_code 127 codexos exec host -- no-such-program
expect_eq "$(printf 'abc\n' | codexos exec host -- cat)" abc
expect_ok codexos exec host -- sh -c 'ps -eo args | grep -c "[s]leep 300"'
expect_eq "$out" 1
expect_ok codexos exec -e X=y host -- sh -c 'echo $X; id -u; grep Seccomp: /proc/self/status; grep NoNewPrivs /proc/self/status; grep CapBnd /proc/self/status'
expect_has "$out" y
expect_match "$out" 'Seccomp:[[:space:]]*2'
expect_match "$out" 'NoNewPrivs:[[:space:]]*1'
expect_match "$out" 'CapBnd:[[:space:]]*0000000000000000'
step 'a terminal'
expect_code 3 pty --expect '/dev/pts' --send 'x\n' -- codexos exec -t host -- sh -c 'tty; read x; exit 3'
step 'the end of the task ends it'
{ code=0; codexos exec host -- sleep 300 || code=$?; echo $code >code; } 2>/dev/null &
wait_until 10 eval '[ "$(codexos exec host -- sh -c "ps -eo args | grep -c [s]leep" )" -ge 2 ]'
codexos kill host >/dev/null
wait_until 10 test -s code
expect_ne "$(cat code)" 0
expect_error 125 '' codexos exec host -- true
expect_error 125 'nobody' codexos exec nobody -- true
expect_ok codexos --json events host
expect_has "$out" exec.started
expect_has "$out" exec.ended
