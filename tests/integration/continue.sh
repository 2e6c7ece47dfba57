#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# -c and --from start from the held-back state of an earlier task; chains, notes, and what waits is kept apart.
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

work
printf 'base\n' >f
expect_ok codexos run --name one -- sh -c 'echo one >>f; echo n >new'
expect_ok codexos run --from one --name two -- sh -c 'cat f new; echo two >>f; rm new'
expect_eq "$(xargs <<<"$out")" 'base one n'
expect_ok codexos run -c --name three -- sh -c 'cat f; ls'
expect_eq "$(xargs <<<"$out")" 'base one two f'
step 'without -c: the real folder, and a line that says so'
expect_ok codexos run --name apart -- cat f
expect_eq "$out" base
expect_match "$err" '-c'
expect_has "$err" "codexos diff"
step 'the chain'
expect_eq "$(field two .from)" "$(field one .id)"
expect_ok codexos diff --name-status three
expect_match "$out" 'M[[:space:]]+f'
expect_hasnt "$out" new
expect_eq "$(cat f)" base
for _ in 1 2 3 4 5 6 7 8; do expect_ok codexos run -c -- sh -c 'echo more >>f'; done
expect_ok codexos run -c -- sh -c 'grep -c more f'
expect_eq "$out" 8
step 'a task that still runs'
x=$(codexos run -d -- sleep 60)
expect_error 125 '' codexos run --from "$x" -- true
step 'the last of another workspace is not taken'
work fresh
expect_ok codexos run -c -- ls
expect_eq "$out" ''
step 'nothing to start from is said, in the foreground and with -d'
expect_has "$err" 'no changes of an earlier task wait: the real folder is used'
expect_ok codexos run -d -c -- true
expect_has "$err" 'no changes of an earlier task wait'
expect_ok codexos -q run -d -c -- true
expect_eq "$err" ''
