#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# An order to a task that the new daemon has not taken over yet waits until it has.
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

work
codexos run -d --name a -- sh -c 'trap "" HUP; sleep 300' >/dev/null
wait_until 10 state_is a running
shim=$(field a .pid)
new_daemon_and_a_shim_that_sleeps() {
  local pid
  kill -STOP "$shim"
  pid=$(daemon_pid)
  kill -KILL "$pid"
  wait_until 5 dead "$pid"
  expect_ok codexos daemon start
}
for order in 'exec a -- echo inside' 'pause a' 'resume a' 'kill -s HUP a' 'stop a'; do
  step "$order"
  new_daemon_and_a_shim_that_sleeps
  # shellcheck disable=SC2086
  { code=0; codexos $order >out 2>err || code=$?; echo "$code" >code; } &
  sleep 0.3 # it is too early, and it waits
  [ ! -e code ] || fail "$order did not wait: $(cat out err)"
  kill -CONT "$shim"
  wait_until 20 test -s code
  expect_eq "$(cat code)" 0 "$order: $(cat err)"
  case $order in exec*) expect_eq "$(cat out)" inside ;; esac
  rm code
done
expect_eq "$(field a .cause)" stopped
step 'one that never answers is told, after a while'
codexos run -d --name b -- sleep 300 >/dev/null
wait_until 10 state_is b running
shim=$(field b .pid)
new_daemon_and_a_shim_that_sleeps
expect_error 7 'being taken over' codexos pause b
kill -CONT "$shim"
expect_ok codexos kill b
