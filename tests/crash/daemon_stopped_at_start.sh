#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A daemon that is told to stop right after it acknowledged a start lets that program start first;
# the next daemon takes it over.
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

work
for parked in 2 0; do
  step "with $parked helpers parked"
  export CODEXOS_PARKED=$parked
  for n in 1 2 3 4 5 6 7 8; do
    expect_ok codexos run -d -- sh -c "echo $n; exit $n"
    id=$out
    expect_ok codexos daemon stop
    expect_code "$n" timeout 20 codexos wait "$id"
    expect_eq "$(codexos logs "$id")" "$n"
    expect_eq "$(codexos --json events "$id" | grep -c task.ended)" 1
  done
done
step 'SIGTERM is the same'
expect_ok codexos run -d -- sh -c 'exit 9'
id=$out
kill -TERM "$(daemon_pid)"
expect_code 9 timeout 20 codexos wait "$id"
step 'who comes while it stops gets an answer from it or from the next one'
for n in 1 2 3 4 5; do
  codexos daemon start >/dev/null 2>&1
  for k in 1 2 3 4; do
    { code=0; codexos run -- sh -c "exit $k" 2>"err.$k" || code=$?; echo "$code" >"code.$k"; } &
  done
  expect_ok codexos daemon stop
  for k in 1 2 3 4; do
    wait_until 30 test -s "code.$k"
    expect_eq "$(cat "code.$k")" "$k" "code of run $k: $(cat "err.$k")"
    rm "code.$k"
  done
done
