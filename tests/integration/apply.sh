#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# apply takes a task's changes over, all of them: contents, modes, times, links, folders, deletions; -n
# only tells; paths narrow it; a second apply is a note.
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

work
printf 'a\n' >a; mkdir -p d/sub; printf 'b\n' >d/b; printf 's\n' >d/sub/s; ln -s a l; printf 'x\n' >x; chmod 640 x
sleep 0.1
expect_ok codexos run --name one -- sh -c '
  echo changed >a; touch -d 2001-02-03T04:05:06Z a
  rm -r d; mkdir d; echo new >d/n
  ln -sf d/n l; mkdir -p e/empty; chmod 750 e/empty; echo run >e/run; chmod 755 e/run; rm x'
expect_eq "$(cat a)" a
step 'a dry run tells and does nothing'
expect_ok codexos apply -n one
for line in 'M.a' 'D.d/b' 'D.d/sub/s' 'A.d/n' 'M.l' 'A.e/run' 'D.x'; do expect_match "$out" "(^|"$'\n'")${line}"; done
expect_eq "$(cat a)" a
expect_file x
step 'all of it'
expect_ok codexos apply one
expect_has "$out" 'codexos undo'
expect_eq "$(cat a)" changed
expect_eq "$(TZ=UTC stat -c %y a | cut -c1-19)" '2001-02-03 04:05:06' 'time of a file'
expect_eq "$(readlink l)" d/n
expect_eq "$(stat -c %a e/empty e/run | xargs)" '750 755'
expect_eq "$(find . -mindepth 1 | sort | xargs)" './a ./d ./d/n ./e ./e/empty ./e/run ./l'
expect_eq "$(field one .changes_state)" applied
expect_eq "$(codexos --json events one | jq -r 'select(.type == "task.applied") | .paths')" 10
step 'again'
expect_ok codexos apply one
expect_has "$err" 'already'
expect_ok codexos diff --name-status one
expect_eq "$out" ''
step 'a task without changes, and one that runs'
expect_ok codexos run --name nothing -- true
expect_ok codexos apply nothing
expect_has "$err" 'no changes'
id=$(codexos run -d -- sleep 60)
wait_until 10 state_is "$id" running
expect_error 5 running codexos apply "$id"
expect_ok codexos kill "$id"
step 'only some paths; the rest waits, and comes later'
expect_ok codexos run --name some -- sh -c 'mkdir -p new/deep; echo 1 >new/deep/one; echo 2 >new/two; echo 3 >three.md; echo 4 >four'
expect_ok codexos apply some -- new/deep '*.md'
expect_file new/deep/one; expect_file three.md; expect_no_file new/two; expect_no_file four
expect_eq "$(field some .changes_state)" waiting
cd d; expect_ok codexos apply some -- ../four; cd ..
expect_file four
expect_ok codexos apply some
expect_file new/two
expect_eq "$(field some .changes_state)" applied
step 'without a name: the last task whose changes wait'
expect_ok codexos run --name newest -- sh -c 'echo 1 >from-last'
expect_ok codexos run -- cat a
expect_ok codexos apply
expect_file from-last
step 'json'
expect_ok codexos run --name j -- sh -c 'echo 1 >j1'
expect_ok codexos --json apply j
expect_eq "$(jq -r '.outcome, .applied[0].path' <<<"$out" | xargs)" 'done j1'
expect_eq "$(stat -c %u:%g j1 new new/two | sort -u)" "$(stat -c %u:%g .)" 'the owner of what was applied'
expect_eq "$(find . -name '.codexos*')" ''
