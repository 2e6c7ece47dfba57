#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Arguments, values of variables, and paths are bytes on Linux: what is not UTF-8 gets through unchanged.
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

hex() { od -An -tx1 | tr -d ' \n'; }
work
bytes=$'\xff\xfe x\xe9'
expect_eq "$(codexos run -- printf %s "$bytes" | hex)" "$(printf %s "$bytes" | hex)" 'an argument'
expect_eq "$(codexos run -e "V=$bytes" -- sh -c 'printf %s "$V"' | hex)" "$(printf %s "$bytes" | hex)" 'a variable'
V=$bytes expect_ok codexos run -e V -- true
step 'a folder'
mkdir -p "$HOME/odd/"$'latin\xe9/sub' && cd "$HOME/odd/"$'latin\xe9/sub'
expect_eq "$(codexos run -w .. -- pwd | hex)" "$(pwd | hex)"
expect_ok codexos run --name made -w .. -- sh -c 'echo new >"$1"' sh $'caf\xe9'
expect_ok codexos diff --name-status made
expect_match "$out" 'A[[:space:]]+"?sub/caf'
expect_ok codexos run -c -w .. -- cat $'caf\xe9'
expect_eq "$out" new
expect_ok codexos run -w .. --write sub -- sh -c 'echo through >kept'
expect_eq "$(cat kept)" through
mkdir "$HOME/"$'show\xe9' && echo shown >"$HOME/"$'show\xe9/f'
expect_ok codexos run --show "$HOME/"$'show\xe9' -- cat "$HOME/"$'show\xe9/f'
expect_eq "$out" shown
step 'later programs, and what is told'
id=$(codexos run -d -w .. -- sh -c 'sleep 60' sh "$bytes")
wait_until 10 state_is "$id" running
expect_eq "$(codexos exec "$id" -- printf %s "$bytes" | hex)" "$(printf %s "$bytes" | hex)" 'an argument of exec'
expect_eq "$(field "$id" '.argv[4].base64' | base64 -d | hex)" "$(printf %s "$bytes" | hex)" 'argv of inspect'
expect_eq "$(codexos --json events "$id" | jq -r 'select(.type=="task.created").cwd.base64' | base64 -d | hex)" "$(printf %s "$PWD" | hex)" 'cwd of an event'
for show in "ps" "inspect $id" "events $id"; do
  # shellcheck disable=SC2086
  expect_ok codexos $show
done
codexos kill "$id" >/dev/null
step 'an error that tells of such a path'
expect_error 127 '' codexos run -- ./no$'\xe9'
expect_error 125 '' codexos run -w $'no-folder\xe9' -- true
expect_code 125 codexos --json run -w $'no-folder\xe9' -- true
sed -n '/^{/p' "$TMPDIR/.err" | jq -e '.detail|type == "string"' >/dev/null || fail 'the detail of a problem is text'
step 'a name that cannot be text says which it is'
expect_error 125 'variable' codexos run -e $'N\xe9=1' -- true
expect_error 125 'label' codexos run --label $'k\xe9=1' -- true
expect_error 125 'name' codexos run --name $'n\xe9' -- true
