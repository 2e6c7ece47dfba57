#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# pause stops every process of a task and its clock; resume lets it go on.
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

work
codexos run -d --name p --timeout 4s -- sh -c 'i=0; while :; do i=$((i+1)); echo $i; sleep 0.1; done' >/dev/null
wait_until 10 eval 'codexos logs p | grep -q .'
expect_ok codexos pause p
expect_eq "$(field p .state)" paused
before=$(codexos logs p | wc -l)
sleep 5
expect_eq "$(codexos logs p | wc -l)" "$before" 'output of a paused task'
expect_eq "$(field p .state)" paused 'the clock of --timeout stands still'
expect_ok codexos pause p
expect_ok codexos resume p
expect_eq "$(field p .state)" running
wait_until 5 eval '[ "$(codexos logs p | wc -l)" -gt '"$before"' ]'
expect_code 124 codexos wait p
expect_eq "$(field p .cause)" time_limit
step 'of an ended task: 0 with a note'
expect_ok codexos pause p
expect_has "$err" ended
expect_ok codexos resume p
step 'nanosleep goes on after it (restart_syscall)'
codexos run -d --name n -- sh -c 'sleep 2; exit 3' >/dev/null
wait_until 10 state_is n running; sleep 0.3; expect_ok codexos pause n; expect_ok codexos resume n
expect_code 3 codexos wait n
step 'a paused task can be stopped'
codexos run -d --name s -- sleep 300 >/dev/null
wait_until 10 state_is s running
expect_ok codexos pause s
expect_ok codexos stop s
expect_eq "$(field s .cause)" stopped
step 'events tell it'
expect_ok codexos --json events p
expect_has "$out" task.paused
expect_has "$out" task.resumed
