#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Names, unique prefixes of ids, and what is ambiguous.
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

work
a=$(codexos run -d --name alpha -- sleep 300)
b=$(codexos run -d -- sleep 300)
expect_eq "$(field alpha .id)" "$a"
expect_eq "$(field "${a:0:8}" .id)" "$a"
expect_eq "$(field "$b" .id)" "$b"
expect_error 3 'nosuch' codexos inspect nosuch
step 'a name in use'
expect_error 125 alpha codexos run --name alpha -- true
step 'bad names'
for n in '' 'a b' 'a/b' '../x' '-x' "$(printf 'x%.0s' {1..65})" 'ü' $'a\nb'; do
  expect_error 125 '' codexos run "--name=$n" -- true
done
step 'an ambiguous prefix'
for _ in $(seq 34); do codexos run -d -- true >/dev/null; done
prefix=$(codexos ps -aq | cut -c1 | sort | uniq -d | head -1)
expect_error 3 '' codexos inspect "$prefix"
expect_match "$err" 'ambig|several|fits' 'the reason'
