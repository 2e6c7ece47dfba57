#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `diff` on a terminal: a pager, colours, and nothing in names or content that the terminal would obey. Anywhere else
# the bytes are as they are.
# needs: python3
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

work
printf 'one\n' >f
expect_ok codexos run -- sh -c 'printf "\033]0;owned\007\033[2Jtwo\n" >f; printf x >"$(printf "na\033[2Jme")"'
esc=$'\x1b'

step 'not a terminal: the bytes, no colour'
expect_has "$(codexos -q diff)" "+${esc}]0;owned"
expect_hasnt "$(codexos -q diff --stat)" "$esc"
expect_has "$(codexos -q --color always diff)" "${esc}[32m+"
expect_hasnt "$(codexos -q --color always diff)" "${esc}]0;owned"
expect_has "$(CLICOLOR_FORCE=1 codexos -q diff)" "${esc}[36m@@"
expect_hasnt "$(NO_COLOR=1 CLICOLOR_FORCE=1 codexos -q diff)" "${esc}[3"

step 'a terminal: colour, and escape sequences as text'
export TERM=xterm
unset CODEXOS_PAGER PAGER NO_COLOR
shown=$(pty -- codexos -q diff --no-pager)
expect_has "$shown" "${esc}[32m+^[]0;owned^G^[[2Jtwo${esc}[m"
expect_hasnt "$shown" "${esc}]0"
expect_hasnt "$shown" "${esc}[2J"
expect_hasnt "$(NO_COLOR=1 pty -- codexos -q diff --no-pager)" "${esc}[3"
expect_hasnt "$(pty -- codexos -q diff --no-pager --stat)" "${esc}[2J"
expect_hasnt "$(pty -- codexos -q diff --no-pager --name-status)" "${esc}[2J"

step 'the pager: CODEXOS_PAGER before PAGER, by the shell; none for nothing'
expect_has "$(CODEXOS_PAGER='sed s/^/PAGED:/' PAGER=false pty -- codexos -q diff)" 'PAGED:'
expect_has "$(PAGER='cat; echo LESS=$LESS' pty -- codexos -q diff --stat)" 'LESS=FRX'
expect_has "$(PAGER='cat' pty -- codexos -q diff --stat)" '2 files changed'
expect_hasnt "$(PAGER='sed s/^/PAGED:/' pty -- codexos -q diff --no-pager)" 'PAGED:'
expect_hasnt "$(PAGER='echo PAGED:' pty -- codexos -q diff -- no-such-path)" 'PAGED:'
expect_hasnt "$(PAGER='sed s/^/PAGED:/' codexos -q diff)" 'PAGED:'

step 'a pager that is left early is no error'
expect_ok codexos run -- sh -c 'seq 1 400000 >big'
PAGER='head -n 1 >/dev/null' pty -- codexos -q diff >/dev/null || fail "exit $?"
expect_code 1 sh -c 'codexos -q diff >/dev/full'
