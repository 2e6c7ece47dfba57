#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# daemon stop leaves tasks running; the next daemon takes them over; foreground runs survive it.
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

work
codexos run -d --name d -- sh -c 'sleep 2; echo late; exit 9' >/dev/null
wait_until 10 state_is d running
{ code=0; codexos run --name fg -- sh -c 'sleep 2; echo fg-out; exit 8' >fg.out 2>/dev/null || code=$?; echo $code >fg.code; } &
wait_until 10 state_is fg running
pid=$(daemon_pid)
expect_ok codexos daemon stop
dead "$pid" || wait_until 5 dead "$pid"
wait_until 15 test -s fg.code
expect_eq "$(cat fg.code fg.out | xargs)" '8 fg-out'
expect_code 9 codexos wait d
expect_eq "$(codexos logs d)" late
expect_eq "$(field fg .exit_code)" 8
for t in d fg; do expect_eq "$(codexos --json events $t | grep -c task.ended)" 1; done
step 'control of an adopted task'
codexos run -d --name a -- sleep 300 >/dev/null
wait_until 10 state_is a running
codexos daemon stop >/dev/null
expect_ok codexos exec a -- true
expect_ok codexos pause a
expect_ok codexos resume a
expect_ok codexos stop a
