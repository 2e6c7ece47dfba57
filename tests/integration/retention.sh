#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Held-back changes go after their time, or the oldest first when all together take too much: the task
# says so, and what it was stacked on goes with it. What is in use stays.
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

work
layers() { echo "$CODEXOS_HOME/tenants/default/tasks/$(field "$1" .id)/layers"; }
gone() { [ ! -e "$1" ]; }
state() { field "$1" .changes_state; }
is_expired() { [ "$(state "$1")" = expired ]; }
# start VARIABLE=VALUE...: a daemon with other limits.
start() {
  codexos daemon stop >/dev/null 2>&1 || true
  env CODEXOS_RETENTION_AFTER_END_S=0 "$@" codexosd --foreground 2>>"$TMPDIR/daemon.log" &
  wait_until 10 test -n "$(wait_pid)"
}
wait_pid() { wait_until 10 daemon_runs; daemon_pid; }
daemon_runs() { [ -n "$(daemon_pid)" ]; }

start CODEXOS_RETENTION_BYTES=$((3 << 20))
step 'beyond the size the oldest goes'
expect_ok codexos run --name old -- dd if=/dev/urandom of=f bs=1M count=2 status=none
expect_eq "$(state old)" waiting
old=$(layers old)
expect_ok codexos run --name young -- dd if=/dev/urandom of=g bs=1M count=2 status=none
wait_until 20 is_expired old
wait_until 10 gone "$old"
expect_eq "$(state young)" waiting
expect_file "$(layers young)/0/upper/g"
expect_has "$(field old '.notes[]')" 'more than 3 MiB'
expect_eq "$(codexos --json events old | jq -r 'select(.type=="task.expired").detail')" \
  'all held-back changes took more than 3 MiB'
expect_ok codexos diff --name-status old
expect_eq "$out" ''
step 'a chain goes as one, and not while something runs on it'
expect_ok codexos run -c --name next -- sh -c 'echo x >h'
expect_eq "$(state young)" continued
young=$(layers young)
next=$(layers next)
long=$(codexos run -d --from next -- sleep 60)
start CODEXOS_RETENTION_AGE_S=0
expect_ok codexos run --name other -- true
expect_file "$young"
expect_file "$next"
expect_ok codexos kill "$long"
wait_until 20 gone "$young"
wait_until 20 gone "$next"
step 'limits that are no numbers are an error'
expect_ok codexos daemon stop
expect_code 2 env CODEXOS_RETENTION_AGE_S=soon codexosd --foreground
expect_has "$err" CODEXOS_RETENTION_AGE_S
