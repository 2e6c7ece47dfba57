#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A task that gets hold of the daemon's socket, of its folder, or of a connection that was opened
# outside, is refused; and the state folder cannot be shown to it.
# shellcheck source=../lib.sh
. "${TESTS:-$(dirname "$0")/..}/lib.sh"

repo smuggle
cp "$CODEXOS_BIN/probe-smuggle" ./probe
expect_ok codexos run -- true
sock=$CODEXOS_HOME/codexosd.sock
expect_eq "$(stat -c %a "$CODEXOS_HOME")" 700 'mode of the state folder'
mkdir meet
./probe serve "$PWD/meet/sock" "$sock" &
started+=($!)
wait_until 5 test -S meet/sock

step "outside the same program gets an answer, so the test can fail"
expect_code 1 ./probe use "$PWD/meet/sock"
step "inside it is refused in every way"
for profile in default nested; do
  expect_ok codexos run --seccomp "$profile" --show "$PWD/meet/sock:/srv/meet/sock:rw" -- ./probe use /srv/meet/sock
  expect_has "$out" 'ok - a connection opened outside'
  expect_hasnt "$out" 'not ok'
done
step "the state folder cannot be shown, nor be a workspace, nor hold one"
mkdir -p "$SCRATCH/link"
ln -s "$CODEXOS_HOME" "$SCRATCH/link/state"
for path in "$CODEXOS_HOME" "$CODEXOS_HOME/tenants" "$(dirname "$CODEXOS_HOME")" "$SCRATCH/link/state" "$sock"; do
  expect_error 125 "$(basename "$path")" codexos run --show "$path" -- true
done
expect_error 125 state codexos run -w "$CODEXOS_HOME" -- true
expect_error 125 'cannot be a workspace' codexos run -w "$(dirname "$CODEXOS_HOME")" -- true
step "the daemon lives, and answers its own user"
expect_ok codexos run -- true
