#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# discard throws a task's changes away; what it started from waits again.
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

work
expect_ok codexos run --name one -- sh -c 'echo 1 >f'
expect_ok codexos run -c --name two -- sh -c 'echo 2 >f'
expect_error 5 'went on' codexos discard one
expect_ok codexos discard two
expect_eq "$out" "$(field two .id)"
expect_eq "$(field two .changes_state) $(field one .changes_state)" 'discarded waiting'
wait_until 10 test ! -e "$CODEXOS_HOME/tenants/default/tasks/$(field two .id)/layers"
expect_ok codexos discard two
expect_has "$err" 'no changes waited'
expect_ok codexos apply two
expect_has "$err" discarded
expect_no_file f
expect_ok codexos run -c -- cat f
expect_eq "$out" 1
expect_ok codexos run --name three -- sh -c 'echo 3 >g'
expect_ok codexos apply three
expect_error 5 undo codexos discard three
id=$(codexos run -d -- sleep 60)
wait_until 10 state_is "$id" running
expect_error 5 running codexos discard "$id"
expect_eq "$(codexos --json events two | jq -r .type | tail -1)" task.discarded
