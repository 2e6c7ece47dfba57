#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Daemon, shims, programs, helpers and clients are killed at random, KILLS times (60; the long mode has 1,000): each task
# that was acknowledged ends exactly once, with its own code where nobody touched it, and nothing is left.
# needs: python3 sqlite3
# timeout: 300
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

repo

codexos daemon start >/dev/null 2>&1
python3 "$TESTS/crash/probes/kill_at_random.py" "${KILLS:-60}" "${SEED:-$RANDOM}" || fail 'see above'

step 'the daemon after all of it'
expect_ok codexos run -- true
codexos daemon stop >/dev/null 2>&1
for db in "$CODEXOS_HOME"/tenants/*/tenant.db; do
  expect_eq "$(sqlite3 "$db" 'pragma integrity_check')" ok "$db"
done
wait_until 10 no_processes_with "$CODEXOS_HOME"
wait_until 10 no_processes_with "marker-$(basename "$SCRATCH")"
