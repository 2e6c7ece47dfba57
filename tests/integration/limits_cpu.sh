#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# --cpu-time ends a task with 124 when all its processes together have used it up; --cpus slows it down where
# a cgroup can be made, and says so where none can.
# needs: python3
# timeout: 300
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

work
# burns NAME ARG...: ends at 1 s of CPU time.
burns() {
  local name=$1
  shift
  step "$name"
  expect_code 124 codexos run --name "$name" --cpu-time 1s --timeout 200s -- "$@"
  expect_has "$err" 'limit of CPU time of 1s (--cpu-time)' 'the reason on stderr'
  expect_eq "$(field "$name" '.cause + " " + .state')" 'time_limit timed_out'
  used=$(field "$name" '.usage.cpu_user_us + .usage.cpu_system_us')
  [ "$used" -ge 800000 ] || fail "ended after $used us of CPU time"
}
burns one sh -c 'echo x >kept; while :; do :; done'
expect_has "$(codexos diff "$(field one .id)" --name-status)" kept
burns two sh -c 'while :; do :; done & while :; do :; done'
burns children sh -c 'while :; do sh -c "i=0; while [ \$i -lt 20000 ]; do i=\$((i+1)); done"; done'
expect_has "$(codexos why one)" '--cpu-time 2s'

step 'sleeping is no CPU time'
expect_ok codexos run --name idle --cpu-time 1s -- sleep 3

step '--cpus'
held=$(codexos --json run --plan-only --cpus 0.2 -- true | jq -r '.limits[] | select(.name == "cpus") | .by')
if [ -n "$held" ]; then
  # A fifth of a processor for 3 s is 0.6 s of CPU time; with less of it the machine is busy.
  expect_code 124 codexos run --name slow --cpus 0.2 --timeout 3s -- sh -c 'while :; do :; done & while :; do :; done'
  used=$(field slow '.usage.cpu_user_us + .usage.cpu_system_us')
  [ "$used" -le 2000000 ] || fail "used $used us"
else
  expect_ok codexos run --name slow --cpus 0.2 -- true
  expect_has "$err" 'the cpus limit of 0.2 is not held: only a cgroup can hold it'
  expect_has "$(codexos inspect slow)" 'cpus 0.2 (not held: '
fi
