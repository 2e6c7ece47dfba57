#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `diff`: work and not noise. Forms, filters, what is told in one line, exit codes; while a task runs and after.
# needs: git
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

repo
printf 'node_modules/\n*.o\n' >.gitignore && git add .gitignore
seq 1 60 >long.txt && printf 'gone\n' >gone.txt && printf '#!/bin/sh\n' >tool && git add -A && git commit -q -m second

step 'no changes: nothing, and exit 0'
expect_ok codexos run --name nothing -- true
expect_ok codexos diff --exit-code nothing
expect_eq "$out" ''

expect_ok codexos run --name work -- sh -c '
  seq 1 61 >long-now.txt && rm long.txt gone.txt && chmod +x tool && echo more >>sub/deep.txt && mkdir -p node_modules/x/y empty
  for i in $(seq 1500); do : >node_modules/x/y/$i.js; done; printf "a\0b" >binary; echo o >sub/a.o
  ln -s /etc/passwd link; git add -A >/dev/null; git commit -q -m inside; git commit -q --allow-empty -m again; git branch topic'
expect_ok git status --porcelain
expect_eq "$out" '' 'the real folder'

step 'the patch: git takes it, and what stands for many is told first'
expect_ok codexos diff work
patch=$out
expect_has "$patch" '.git: main +2 commits'
expect_has "$patch" 'new branch topic'
expect_has "$patch" 'node_modules/ +1,500 files'
expect_has "$patch" 'sub/a.o +1 file'
expect_has "$patch" 'empty: new folder'
expect_has "$patch" 'rename from long.txt'
expect_has "$patch" 'new mode 100755'
expect_hasnt "$patch" '.js'
cp "$TMPDIR/.out" "$TMPDIR/patch"
expect_ok git apply --check "$TMPDIR/patch"
expect_code 1 codexos diff --exit-code work

step 'as git tells it: --stat and --name-status'
codexos diff work >"$TMPDIR/patch"
git apply --index "$TMPDIR/patch"
git diff --cached -M --stat >"$TMPDIR/git-stat" && git diff --cached -M --name-status >"$TMPDIR/git-names"
git reset -q --hard && git clean -qfdx
codexos diff --stat work | grep '^ ' >"$TMPDIR/our-stat"
cmp "$TMPDIR/git-stat" "$TMPDIR/our-stat" || fail "$(diff "$TMPDIR/git-stat" "$TMPDIR/our-stat")"
codexos diff --name-status work | grep -vE $'^(G|I)\t|^A\tempty$' >"$TMPDIR/our-names"
# The percentage of a rename is each program's own measure.
diff <(sed 's/^R[0-9]*/R/' "$TMPDIR/git-names" | sort) <(sed 's/^R[0-9]*/R/' "$TMPDIR/our-names" | sort) || fail 'name-status'
expect_eq "$(codexos diff --name-status work | grep -cE $'^(G\t\\.git|I\tnode_modules/)$')" 2
expect_error 2 'choose one' codexos diff --stat --name-status work

step '--all expands, PATHS narrow'
expect_eq "$(codexos diff --all --name-status work | grep -c $'^A\tnode_modules/x/y/')" 1500
expect_has "$(codexos diff --all --name-status work)" $'M\t.git/index'
expect_eq "$(codexos diff --name-status work -- sub)" $'I\tsub/a.o\nM\tsub/deep.txt'
expect_eq "$(cd sub && codexos diff --name-status work -- deep.txt)" $'M\tsub/deep.txt'
expect_eq "$(codexos diff --name-status work -- '*deep*')" $'M\tsub/deep.txt'
expect_eq "$(codexos diff --name-status work -- node_modules | wc -l)" 1500
expect_eq "$(codexos diff --name-status work -- "$PWD/binary" no-such)" $'A\tbinary'
expect_ok codexos diff --exit-code work -- no-such
expect_eq "$(codexos diff --name-status work -- . | wc -l)" "$(codexos diff --name-status work | wc -l)"

step 'a word that is no task, but changed, is a path'
expect_ok codexos diff --name-status binary
expect_eq "$out" $'A\tbinary'
expect_has "$err" 'taken as a path'
expect_error 3 'nope' codexos diff nope

step 'JSON is the wire type'
expect_ok codexos --json diff --stat work
expect_eq "$(jq -r '.changes[] | select(.path == "sub/deep.txt") | "\(.status) \(.added) \(.removed) \(.old_mode)"' <<<"$out")" 'M 1 0 100644'
expect_eq "$(jq -r '.changes[] | select(.status == "I" and .path == "node_modules/") | .collapsed.added' <<<"$out")" 1500
expect_eq "$(jq -r '.changes[] | select(.status == "R") | .from' <<<"$out")" long.txt
if is_root || [ "$(uname -r | awk -F. '{ print $1 * 1000 + $2 }')" -ge 6011 ]; then
  expect_has "$(api "http://x/v1/tasks/work/diff?path=sub" || true)" '+more'
fi

step 'what git tracks is not ignored, also in an ignored folder'
mkdir -p build && echo one >build/kept && echo build/ >>.gitignore && git add -f build/kept .gitignore && git commit -q -m kept
expect_ok codexos run -- sh -c 'echo two >build/kept; echo x >build/other'
expect_eq "$(codexos -q diff --name-status)" $'I\tbuild/\nM\tbuild/kept'

step 'a work tree of another repository: its git folder is told by its whole path'
git worktree add -q "$HOME/side" && cd "$HOME/side"
expect_ok codexos run -- sh -c 'echo x >new; git add new; git commit -q -m side'
expect_has "$(codexos -q diff)" "$HOME/repo/.git: side +1 commit"
expect_eq "$(codexos -q diff --name-status)" "$(printf 'A\tnew\nG\t%s' "$HOME/repo/.git")"
cd "$HOME/repo"

step 'while it runs'
codexos run -d --name live -- sh -c 'echo 1 >early; until [ -e /tmp/go ]; do sleep 0.05; done; echo 2 >late' >/dev/null
early() { codexos diff --name-status live | grep -q early; }
wait_until 10 early
expect_hasnt "$(codexos diff live)" late
codexos exec live -- touch /tmp/go
wait_until 10 ended live
expect_has "$(codexos diff live)" '+++ b/late'

step 'a workspace without git'
work plain && echo x >f
expect_ok codexos run -- sh -c 'echo y >f; mkdir d; echo z >d/g; chmod 700 d'
expect_eq "$(codexos -q diff --name-status)" $'A\td/g\nM\tf'
