#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Where an overlay cannot be used, changes are held back in a copy: the same programs, the same changes, the
# same next task; the user's edits meanwhile are not taken for the task's.
# needs: git
# timeout: 120
# shellcheck source=../lib.sh
. "${TESTS:-$(dirname "$0")/..}/lib.sh"

make_tree() {
  repo "$1"
  mkdir -p a/in d/e
  printf 'x\n' | tee a/one a/in/two d/e/deep gone changed >/dev/null
  ln a/one a/hard
  ln -s a/one link
  git add -A && git commit -qm tree
}
# What programs do, once each.
cat >"$HOME/doings.sh" <<'END'
set -e
echo more >>changed
rm gone
mv a b
mkdir new && echo n >new/file && mkdir empty
rm -r d/e && mkdir d/e && echo other >d/e/file
rm link && mkdir link && echo y >link/y
chmod 600 sub/deep.txt
echo new >"odd
name"
git commit -qam 'inside'
END
run_doings() { expect_ok codexos run -q -- sh -c "$(cat "$HOME/doings.sh")"; }
noise='\.git/(index|COMMIT_EDITMSG|logs|refs|objects|ORIG_HEAD)'

make_tree overlay
run_doings
codexos diff --name-status | grep -vE "$noise" >"$TMPDIR/overlay"
codexos daemon stop >/dev/null

export CODEXOS_FORCE_COPY=1
make_tree copy
before=$(find . -path ./.git -prune -o -printf '%P %y %s %T@\n' | sort)
step "the same changes as in an overlay"
run_doings
codexos diff --name-status | grep -vE "$noise" >"$TMPDIR/copied"
diff "$TMPDIR/overlay" "$TMPDIR/copied" >&2 || fail 'the changes differ'
[ -s "$TMPDIR/copied" ] || fail 'no changes are shown'
expect_eq "$(find . -path ./.git -prune -o -printf '%P %y %s %T@\n' | sort)" "$before" 'the real folder'
task=$(codexos -q ps -a | head -1)
expect_has "$(field "$task" '.notes[]')" 'changes are held back in a copy'
expect_no_file "$CODEXOS_HOME/tenants/default/tasks/$task/layers/0/copy"

step "the next task goes on from them, in a copy again"
expect_ok codexos run -q -c -- sh -ec 'test -f b/in/two && ! test -e a && ! test -e gone && test -f link/y
  ! test -e d/e/deep && test "$(stat -c %a sub/deep.txt)" = 600 && git log -1 --format=%s && git fsck --no-progress
  rm -r b new; echo again >again'
expect_has "$out" inside
changes=$(codexos diff --name-status)
expect_has "$changes" $'A\tagain'
expect_hasnt "$changes" new/file
expect_has "$changes" $'D\ta'

step "a task that changes nothing leaves nothing"
codexos run -q -- true
expect_eq "$(field "$(codexos -q ps -a | head -1)" .changes_state)" none

step "folders are renamed by rename(2), names of one file stay together"
expect_ok codexos run -q -- python3 -c 'import os
os.rename("a", "z"); open("z/one", "a").write("more"); assert "more" in open("z/hard").read()'

step "what the user does meanwhile is not the task's"
id=$(codexos run -d -- sh -c 'echo t >by-task; until test -e /tmp/go; do sleep 0.05; done')
wait_until 10 state_is "$id" running
echo edited >>changed && echo mine >by-user
codexos exec "$id" -- touch /tmp/go
codexos wait "$id" >/dev/null
expect_eq "$(codexos diff --name-status "$id")" $'A\tby-task'

step "a daemon that is killed while the task runs takes the changes out of the copy later"
id=$(codexos run -d -- sh -c 'echo t >by-task; until test -e /tmp/go; do sleep 0.05; done')
wait_until 10 state_is "$id" running
pid=$(daemon_pid)
kill -KILL "$pid"
wait_until 10 dead "$pid"
codexos daemon start >/dev/null 2>&1
wait_until 10 state_is "$id" running
codexos exec "$id" -- touch /tmp/go
codexos wait "$id" >/dev/null
expect_eq "$(codexos diff --name-status "$id")" $'A\tby-task'

step "the plan says so"
expect_has "$(codexos run --plan-only -- true)" 'held back in a copy'

codexos daemon stop >/dev/null
unset CODEXOS_FORCE_COPY
if is_root; then exit 0; fi
step "a mount inside the workspace"
unshare -Urm true 2>/dev/null || skip 'no user namespaces here'
make_tree mounts
mkdir tmp
# Root in a namespace mounts; the ordinary user of another one below it runs codexos.
cat >"$TMPDIR/inner.sh" <<'END'
set -e
codexos run -q -- sh -ec 'grep -q there tmp/file; echo more >>tmp/file; rm tmp/gone; echo x >new; rm changed'
codexos diff --name-status
codexos --json inspect "$(codexos -q ps -a | head -1)" | jq -r '.notes[]'
codexos daemon stop >/dev/null
END
expect_ok unshare -Urm sh -ec 'mount -t tmpfs none tmp && echo there >tmp/file && echo x >tmp/gone
  unshare -U --map-user=1000 --map-group=1000 bash "$1"; test "$(cat tmp/file)" = there && test -e tmp/gone' sh "$TMPDIR/inner.sh"
for change in $'R100\tchanged\tnew' $'M\ttmp/file' $'D\ttmp/gone' 'mounted inside the workspace'; do expect_has "$out" "$change"; done
