#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A log that can be written no more stops, the program and its reader do not; the record and `logs` say
# that the log is cut. (A limit of the file size stands in for a full disk: the same call fails.)
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

work
codexos run -- true && codexos daemon stop >/dev/null
(ulimit -f 8192; exec codexosd --foreground 2>"$TMPDIR/daemon.log") &
started+=($!)
wait_until 20 grep -q 'listens on' "$TMPDIR/daemon.log"
program='seq -f %015.0f 1 1000000; echo oops >&2'
for sink in reader nobody; do
  step "its output goes to a $sink"
  if [ "$sink" = reader ]; then
    expect_eq "$(codexos run --name reader -- sh -c "$program" 2>err | cksum)" "$(seq -f %015.0f 1 1000000 | cksum)" 'what its reader got'
    expect_eq "$(cat err)" oops
  else
    codexos run -d --name nobody -- sh -c "$program" >/dev/null
    expect_ok codexos wait nobody
  fi
  expect_eq "$(field "$sink" .usage.stdout_bytes)" 16000000 'what the program wrote'
  expect_match "$(field "$sink" '.notes|join(" ")')" 'log of stdout ends after 8388608 bytes'
  expect_ok codexos logs "$sink"
  expect_has "$err" 'the log of stdout ends here'
  expect_has "$err" oops
  expect_eq "$(stat -c %s "$TMPDIR/.out")" 8388608 'what the log holds'
  cmp -n 8388608 "$TMPDIR/.out" <(seq -f %015.0f 1 1000000) || fail 'the log is not the head of the output'
  expect_eq "$(codexos --json logs "$sink" | jq -r 'select(.cut).cut')" 'File too large'
done
step 'the next task has its log'
expect_ok codexos run --name small -- echo fine
expect_eq "$(codexos logs small)" fine
expect_eq "$(field small '.notes|length')" 0
