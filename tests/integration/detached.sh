#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# -d prints the id and returns; the task goes on by itself, with /dev/null as stdin unless -i.
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

work
x=$(codexos run -d --name one -- sh -c 'cat; echo out; echo err >&2; exit 5' <&0)
expect_match "$x" '^[a-z2-7]{12}$' 'the id alone'
expect_code 5 codexos wait one
expect_code 5 codexos wait "$x"
expect_ok codexos logs one
expect_eq "$out" out
expect_eq "$err" err
step 'the shell that started it is gone'
x=$(sh -c 'codexos run -d -- sh -c "sleep 0.5; exit 3"')
expect_code 3 codexos wait "$x"
step '-i forwards stdin'
x=$(printf 'typed\n' | codexos run -d -i -- cat)
code=0; timeout 15 codexos wait "$x" || code=$?
expect_ok codexos logs "$x"
step '--json prints the task'
expect_ok codexos --json run -d -- true
expect_match "$(json .id <<<"$out")" '^[a-z2-7]{12}$'
step 'a start that fails is told by wait'
x=$(codexos run -d -- no-such-program)
expect_code 127 codexos wait "$x"
step '--rm forgets it'
x=$(codexos run -d --rm -- true)
wait_until 10 eval '! codexos inspect '"$x"
step 'many at once'
ids=$(for _ in 1 2 3 4 5 6 7 8; do codexos run -d -- sh -c 'exit 8' & done; wait)
expect_eq "$(printf '%s\n' "$ids" | sort -u | wc -l)" 8
for x in $ids; do expect_code 8 codexos wait "$x"; done
