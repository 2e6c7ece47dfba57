#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# snapshot create, list, restore, rm and run --from TASK@SNAPSHOT: states of a task's changes, shared
# where they are the same; a running task stands still while one is taken.
# timeout: 120
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

work
mkdir sub
printf 'base\n' >f
printf 'gone\n' >sub/gone
expect_ok codexos run --name t -- sh -c 'echo one >f; rm -r sub; mkdir sub; ln -s f link; echo x >a; ln a b; chmod 700 a'
t=$(field t .id)
expect_ok codexos snapshot create --name first t
expect_eq "$out" "$t@first"
step 'a task that goes on from one leaves the task as it is'
expect_ok codexos run --name fork --from t@first -- sh -c 'cat f; ls sub; readlink link; stat -c "%a %h" a; echo two >f'
expect_eq "$(xargs <<<"$out")" 'one f 700 2'
expect_eq "$(field t .changes_state)" waiting
expect_eq "$(field fork .from)" "$t@first"
expect_ok codexos diff --name-status fork
expect_match "$out" 'M[[:space:]]+f'
expect_match "$out" 'D[[:space:]]+sub/gone'
step 'twice, and with more changes on top'
expect_ok codexos run --name on -c -- true
expect_ok codexos run --from "$t@first" -- cat f
expect_eq "$out" one
step 'the second shares with the first'
expect_ok codexos run --name u -- sh -c 'head -c 1000000 /dev/urandom >big; echo 1 >small'
expect_ok codexos snapshot create u
expect_ok codexos --json snapshot create u
expect_eq "$(jq -r '.name, .stored_files' <<<"$out" | xargs)" '2 0'
expect_ok codexos snapshot list u
expect_match "$out" "@1[[:space:]]"
expect_ok codexos snapshot list -q u
expect_eq "$(wc -l <<<"$out")" 2
step 'restore'
expect_ok codexos run --name v -- sh -c 'echo one >v; mkdir d; echo x >d/x'
expect_ok codexos snapshot create v
rm -rf "$CODEXOS_HOME/tenants/default/tasks/$(field v .id)"/layers/0/upper/*
expect_ok codexos diff --name-status v
expect_eq "$out" ''
expect_ok codexos snapshot restore v@1
expect_ok codexos diff --name-status v
expect_eq "$(xargs <<<"$out")" 'A d/x A v'
step 'refused'
expect_error 3 'no snapshot' codexos snapshot restore v@none
expect_error 125 'no snapshot' codexos run --from v@none -- true
expect_error 2 'TASK@NAME' codexos snapshot rm v
expect_error 5 'has a snapshot' codexos snapshot create --name 1 v
expect_error 2 'cannot name' codexos snapshot create --name ../x v
expect_error 5 'started from' codexos snapshot rm t@first
expect_error 5 'started from' codexos rm t
step 'rm'
expect_ok codexos rm on
for id in $(codexos ps -aq); do
  [ "$(field "$id" .from)" != "$t@first" ] || codexos rm "$id" >/dev/null
done
expect_ok codexos snapshot rm t@first
expect_eq "$(codexos snapshot list -q t)" ''
step 'a running task'
codexos run -d --name r -- sh -c 'while :; do echo >>x; echo >>y; done' >/dev/null
wait_until 10 test -s "$CODEXOS_HOME/tenants/default/tasks/$(field r .id)/layers/0/upper/y"
run_captured codexos snapshot create r
if [ "$code" = 0 ]; then
  for _ in 1 2 3 4 5; do expect_ok codexos snapshot create r; done
  expect_eq "$(codexos --json snapshot list r | jq -r '[.snapshots[].running] | all')" true
  state_is r running || fail "it is $(field r .state)"
  last=0
  for n in 1 2 3 4 5 6; do
    expect_ok codexos run --from "r@$n" -- sh -c 'wc -l <x; wc -l <y'
    read -r x y <<<"$(xargs <<<"$out")"
    # One moment: one step at most lies between the two.
    [ "$x" = "$y" ] || [ "$x" = $((y + 1)) ] || fail "torn: x $x, y $y"
    [ "$x" -gt "$last" ] || fail "it did not go on: $last, then $x"
    last=$x
  done
  expect_eq "$(find /sys/fs/cgroup -maxdepth 3 -name "codexos-frozen-$(field r .id)" 2>/dev/null)" ''
else
  expect_eq "$code" 7
  expect_has "$err" 'freezer'
fi
