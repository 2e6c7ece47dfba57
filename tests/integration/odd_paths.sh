#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Workspaces whose paths hold colons, commas, backslashes, newlines, quotes and UTF-8 work like any other.
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

for name in 'a:b' 'a,b' 'a\b' $'new\nline' 'ünïcödé 名' "quo'te\"s" 'sp ace' '-dash' 'x=y' 'lower\:dir,upper' '%s' '$HOME'; do
  mkdir -p "$HOME/odd/$name/sub" && cd "$HOME/odd/$name/sub"
  printf 'old\n' >"f $name"
  expect_ok codexos run -w .. -- sh -c 'pwd; echo new >"$1"; echo more >"added $1"' sh "f $name"
  expect_eq "$out" "$PWD" "the folder inside"
  expect_eq "$(cat "f $name")" old
  expect_no_file "added f $name"
  expect_ok codexos --json diff --name-status "$(codexos ps -aq -n 1)"
  expect_eq "$(jq -r '[.changes[].status]|sort|join(" ")' <<<"$out")" 'A M' "changes in $name"
  expect_ok codexos run --from last -w .. -- cat "f $name"
  expect_eq "$out" new
done
step 'a name that is not UTF-8'
mkdir -p "$HOME/odd/"$'latin\xe9' && cd "$HOME/odd/"$'latin\xe9'
expect_ok codexos run -- sh -c 'echo x >new'
step 'file names that are not UTF-8 in a workspace'
work bytes
printf x >$'caf\xe9'
expect_ok codexos run -- sh -c 'rm caf*; echo y >"$(printf "b\377d")"'
expect_ok codexos diff --name-status
expect_match "$out" '(^|'$'\n'')A'
expect_match "$out" '(^|'$'\n'')D'
expect_ok codexos --json diff --name-status
jq -e . <<<"$out" >/dev/null || fail 'the JSON is none'
