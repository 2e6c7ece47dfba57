#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A state folder whose socket path is over 108 bytes works; a relative or unusable one is refused with 125 or 7.
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

work
long=$SCRATCH/state/$(printf 'x%.0s' {1..120})
mkdir -p "$(dirname "$long")"
CODEXOS_HOME=$long
expect_ok codexos run -- echo far
expect_eq "$out" far
expect_ok codexos ps
codexos daemon stop >/dev/null
step 'unusable places'
expect_error 125 '' env CODEXOS_HOME=relative codexos run -- true
expect_error 2 '' env CODEXOS_HOME=relative codexos ps
expect_match "$(env CODEXOS_HOME=/proc/nothing codexos run -- true 2>&1; echo "code $?")" 'error: .*code 125'
if ! is_root; then
  expect_match "$(env CODEXOS_HOME=/root/x codexos run -- true 2>&1; echo "code $?")" 'error: .*code 125'
fi
touch "$SCRATCH/plainfile"
expect_match "$(env CODEXOS_HOME="$SCRATCH/plainfile" codexos run -- true 2>&1; echo "code $?")" 'error: .*code 125'
CODEXOS_HOME=$SCRATCH/state
step 'a folder that others may enter is closed first'
mkdir -p "$SCRATCH/open" && chmod 777 "$SCRATCH/open"
CODEXOS_HOME=$SCRATCH/open
code=0; codexos run -- true 2>/dev/null || code=$?
[ "$code" = 125 ] || expect_eq "$(stat -c %a "$SCRATCH/open")" 700
codexos daemon stop >/dev/null 2>&1 || true
