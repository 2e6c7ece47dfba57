#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The root of a view is shared by its tasks and nobody can write to it. What a task puts onto it is there for
# this task, wherever it lies, and no other one sees it.
# timeout: 120
# shellcheck source=../lib.sh
. "${TESTS:-$(dirname "$0")/..}/lib.sh"

root_of_task() { expect_ok codexos run -q "$@" -- sh -c 'ls -A /'; }

work one
echo text >file
mkdir shown && echo shown >shown/x
root_of_task
plain=$out
expect_code 1 codexos run -q -- sh -c 'mkdir /x'
expect_code 32 codexos run -q -- sh -c 'mount -o remount,rw /'

step 'a shown folder at a place of its own, from the second on with a parked helper'
for _ in 1 2 3; do
  expect_ok codexos run -q --show ./shown:/data/deep:rw -- sh -c 'cat /data/deep/x; ls -A /data; ! touch /data/y && echo more >>/data/deep/x'
  expect_has "$out" $'shown\n'
  expect_has "$out" deep
done
expect_eq "$(wc -l <shown/x)" 4
root_of_task --show ./shown:/data/deep
expect_has "$out" data

step 'a shown file there, and one in /etc'
expect_ok codexos run -q --show ./file:/notes --show ./file:/etc/notes -- sh -c 'cat /notes /etc/notes; ls /etc/passwd'
expect_eq "$out" $'text\ntext\n/etc/passwd'

step 'the next task finds none of it'
root_of_task
expect_eq "$out" "$plain"
expect_code 2 codexos run -q -- ls /data /etc/notes

step 'two at once'
codexos run -d -q --name a --show ./shown:/data/a -- sh -c 'ls -A /data; sleep 60' >/dev/null
codexos run -d -q --name b --show ./shown:/data/b -- sh -c 'ls -A /data; sleep 60' >/dev/null
wait_until 10 state_is a running
wait_until 10 state_is b running
expect_eq "$(codexos exec a -- ls -A /data)" a
expect_eq "$(codexos exec b -- ls -A /data)" b
codexos kill a b >/dev/null

if is_root; then
  step 'a workspace on the root'
  top=$(mktemp -d /codexos-places.XXXXXX)
  cd "$top" && echo mine >file
  for _ in 1 2 3; do
    expect_ok codexos run -q -- sh -c 'pwd; cat file; echo task >file'
    expect_eq "$out" "$top"$'\nmine'
  done
  expect_ok codexos apply
  expect_eq "$(cat file)" task
  cd / && rm -rf "$top"
fi
