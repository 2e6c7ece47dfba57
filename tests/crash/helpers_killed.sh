#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Parked helpers and zygotes that are killed cost a start time, not an error.
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

work
expect_ok codexos run -- true
pid=$(daemon_pid)
for _ in 1 2 3 4 5; do
  children=$(made_by "$pid")
  for child in $children; do kill -KILL "$child" 2>/dev/null || true; done
  for child in $children; do wait_until 5 dead "$child"; done
  expect_code 3 codexos run -- sh -c 'exit 3'
done
step 'a zygote alone'
for child in $(ps -o pid= --ppid "$pid" | xargs || true); do kill -KILL "$child" 2>/dev/null || true; done
for _ in 1 2 3 4; do expect_code 3 codexos run -- sh -c 'exit 3'; done
step 'they die with the daemon'
wait_until 10 eval '[ "$(codexos --json daemon status | jq .helpers_parked)" -ge 0 ]'
children=$(made_by "$pid")
kill -KILL "$pid"; wait_until 5 dead "$pid"
for child in $children; do wait_until 5 dead "$child"; done
