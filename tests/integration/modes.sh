#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# --mode overlay holds back, direct writes through, read-only refuses, none has no workspace; --write lets one path through.
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

work
printf 'a\n' >a; mkdir d; printf 'b\n' >d/b; ln -s a l
step overlay
expect_ok codexos run --name o -- sh -c 'echo x >a; rm -r d; echo n >n; mkdir e; echo f >e/f; ln -sf n l; chmod 700 n; mv n m'
expect_eq "$(cat a d/b | xargs)" 'a b'
expect_no_file n
expect_ok codexos diff --name-status o
expect_match "$out" 'M[[:space:]]+a($|'$'\n)'
expect_match "$out" 'D[[:space:]]+d'
expect_match "$out" 'A[[:space:]]+m'
expect_match "$out" 'A[[:space:]]+e/f'
expect_hasnt "$out" $'\tn\n'
step 'the closing line'
expect_ok codexos run -- sh -c 'echo 1 >c1; echo 2 >c2; echo x >a'
expect_match "$err" '3 files? changed'
expect_has "$err" 'codexos diff'
expect_ok codexos -q run -- sh -c 'echo 1 >c1'
expect_eq "$err" ''
expect_ok codexos run -w "$HOME/work" -- true
step direct
expect_ok codexos run --mode direct -- sh -c 'echo direct >w; echo y >>a'
expect_eq "$(cat w)" direct
expect_eq "$(stat -c %u:%g w)" "$(id -u):$(id -g)" 'the owner of a file written through'
printf 'a\n' >a
step read-only
expect_ok codexos run --mode read-only -- cat a
expect_code 1 codexos run --mode read-only -- touch a
expect_match "$err" 'Read-only|Permission'
expect_eq "$(cat a)" a
step none
expect_ok codexos run --mode none -- sh -c 'pwd; ls'
expect_hasnt "$out" d/b
expect_code 1 codexos run --mode none -- cat "$PWD/a"
step --write
mkdir -p out && touch report.txt
expect_ok codexos run --write out --write report.txt -- sh -c 'echo r >out/r; echo h >held; echo t >report.txt'
expect_eq "$(cat out/r)" r
expect_no_file held
expect_eq "$(cat report.txt)" t
expect_error 125 nothing codexos run --write nothing -- true
expect_eq "$(stat -c %u:%g out/r)" "$(id -u):$(id -g)"
