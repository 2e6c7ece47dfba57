#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# run --apply and --apply-on-success: the end comes after the apply; one that fails is 125, with the cause
# apply_failed, even if the program returned 0; nothing is lost by it.
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

work
printf 'a\n' >a; sleep 0.1
expect_ok codexos run --apply --name one -- sh -c 'echo 1 >a; echo 2 >b'
expect_eq "$(cat a b | xargs)" '1 2'
expect_has "$err" '2 files applied'
expect_has "$err" 'codexos undo'
expect_eq "$(field one .changes_state)" applied
expect_eq "$(codexos --json events one | jq -r .type | tail -2 | xargs)" 'task.applied task.ended'
expect_ok codexos undo one
expect_eq "$(cat a)" a; expect_no_file b
step 'a failed program: --apply takes its changes, --apply-on-success does not'
expect_code 3 codexos run --apply --name two -- sh -c 'echo 1 >two; exit 3'
expect_file two
expect_code 3 codexos run --apply-on-success --name three -- sh -c 'echo 1 >three; exit 3'
expect_no_file three
expect_eq "$(field three .changes_state)" waiting
expect_match "$err" '1 file changed · codexos diff · codexos apply'
expect_ok codexos run --apply-on-success -- sh -c 'echo 1 >four'
expect_file four
step 'detached'
id=$(codexos run -d --apply -- sh -c 'echo 1 >five')
expect_ok codexos wait "$id"
expect_file five
step 'without changes'
expect_ok codexos run --apply --name six -- true
expect_hasnt "$err" 'changed'
expect_eq "$(field six .changes_state)" none
step 'a conflict: 125, apply_failed, the changes wait'
mkdir -p sync
id=$(codexos run -d --apply --name seven --write sync -- sh -c 'echo task >a; echo 1 >seven; touch sync/ready; while [ ! -e sync/go ]; do sleep 0.05; done')
wait_until 10 test -e sync/ready
printf 'mine\n' >a; touch sync/go
expect_code 125 codexos wait "$id"
expect_eq "$(field seven '.cause, .changes_state' | xargs)" 'apply_failed waiting'
expect_eq "$(cat a)" mine; expect_no_file seven
expect_ok codexos apply seven --on-conflict ours
expect_file seven
step 'what needs consent: 125 in the foreground as well'
expect_code 125 codexos run --apply -- sh -c 'echo x >.envrc; echo 1 >eight'
expect_match "$err" 'error: .*\.envrc'
expect_no_file eight
expect_code 125 codexos --json run --apply -- sh -c 'echo x >.envrc'
expect_eq "$(jq -r 'select(.type == "task.ended") | .cause' <<<"$out")" apply_failed
step 'consent that is given, or the rest'
expect_ok codexos run --apply --allow-protected -- sh -c 'echo x >.envrc'
expect_eq "$(cat .envrc)" x
expect_ok codexos run --apply-on-success --skip-protected --name rest -- sh -c 'echo y >.envrc; echo 1 >ten'
expect_eq "$(cat .envrc ten | xargs)" 'x 1'
expect_eq "$(field rest .changes_state)" waiting
expect_error 125 'only one' codexos run --apply --allow-protected --skip-protected -- true
expect_error 125 'need apply' codexos run --allow-protected -- true
step 'an option that makes no sense'
expect_error 125 overlay codexos run --apply --mode direct -- true
expect_error 125 'only one' codexos run --apply --apply-on-success -- true
step '--rm'
expect_ok codexos run --apply --rm --name gone -- sh -c 'echo 1 >nine'
expect_file nine
wait_until 5 sh -c '! codexos inspect gone'

step '--rm, and the client asks for the end when all is done and forgotten'
if command -v strace >/dev/null; then
  expect_ok strace -qq -o /dev/null -e trace=connect -e inject=connect:delay_enter=700000:when=2 \
    codexos run --apply --rm --name late -- sh -c 'echo 1 >ten'
  expect_file ten
fi
