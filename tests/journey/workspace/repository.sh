#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A repository of hundreds of files with a history, and a task that edits, commits, branches, merges, rebases,
# tags and reformats it, in the main tree and in a worktree: after apply git says outside what it said inside,
# and undo brings the refs back.
# timeout: 300
# needs: git python3
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../lib.sh"

# What git knows of a work tree, as text.
cat >"$TMPDIR/say.sh" <<'EOF'
git fsck --strict --no-progress --no-dangling 2>&1
git log --all --graph --format='%H %T %an <%ae> %ad %D %s'
git show-ref --head
git status --porcelain --branch --untracked-files=all
git stash list --format=%H
git reflog --format='%H %gs' -n 50
git ls-files --stage | sha256sum
git config --local --list | sort
EOF
say() { sh "$TMPDIR/say.sh"; }

git_identity
# The sources of a real project: the headers of this machine, or what Python has.
from=/usr/include/linux
[ -d "$from" ] || from=/usr/lib/python3
mkdir -p "$HOME/origin"; cd "$HOME/origin"; git init -q .
python3 - "$from" <<'EOF'
import os, shutil, sys
n = 0
for folder, _, files in os.walk(sys.argv[1]):
    for name in sorted(files):
        path = os.path.join(folder, name)
        if os.path.islink(path) or os.path.getsize(path) > 100000: continue
        to = os.path.join('src', os.path.relpath(path, sys.argv[1]))
        os.makedirs(os.path.dirname(to), exist_ok=True)
        shutil.copyfile(path, to)
        n += 1
        if n == 600: sys.exit()
EOF
printf '*.o\nbuild/\n' >.gitignore; printf '#!/bin/sh\necho hello\n' >run.sh; chmod 755 run.sh; ln -s src link
git add -A; git commit -qm 'first'
for n in 1 2 3 4 5 6 7 8; do
  # shellcheck disable=SC2046
  sed -i "1i // edit $n" $(git ls-files 'src/*.h' 'src/*.py' | awk "NR % 9 == $n % 9" | head -40)
  git commit -qam "edit $n"
  [ $((n % 3)) != 0 ] || git tag -a "v0.$n" -m "release $n"
  [ "$n" != 4 ] || git branch stable
done
git switch -q stable; git mv run.sh start.sh; git commit -qm 'renamed on stable'; git switch -q main
git merge -q --no-edit stable
git gc -q; git switch -q -c wip; echo wip >>src/wip.txt; git add -A; git commit -qm 'wip'; git switch -q main
[ "$(git ls-files | wc -l)" -ge 200 ] || fail 'the repository is too small'

cat >"$TMPDIR/work.sh" <<'EOF'
set -e
git switch -q -c feature
find src -name '*.h' -o -name '*.py' | sort | awk 'NR % 4 == 0' | xargs sed -i 's/[ \t]*$//; s/\t/    /g'
git commit -qam 'reformatted'
mkdir -p lib && git mv src/wip.txt lib/ 2>/dev/null || true
git mv "$(git ls-files 'src/*' | head -1)" moved.txt
git rm -q "$(git ls-files 'src/*' | sed -n 5p)"
echo new >new.txt; git add -A; git commit -qm 'moved, removed, added'
git commit -q --amend -m 'moved, removed, added; amended'
git switch -q wip; git rebase -q main; git switch -q feature; git merge -q --no-edit wip
git branch -d wip; git tag -a v1.0 -m 'one'
echo staged >staged.txt; git add staged.txt; echo later >>new.txt; echo untracked >untracked.txt
echo stashed >>start.sh; git stash push -q -- start.sh
mkdir -p build && echo o >build/x.o
git pack-refs --all
[ "$1" != gc ] || git gc -q --prune=now
EOF

# journey NAME: in the current folder, a work tree. Which GC: whether git packs everything at the end.
journey() {
  local name=$1 gc=$2 before inside
  git status >/dev/null; sleep 0.1
  before=$(say)
  run_captured codexos run --show "$TMPDIR" --name "$name" -- sh -c "sh '$TMPDIR/work.sh' $gc && git status >/dev/null && echo == && sh '$TMPDIR/say.sh'"
  [ "$code" = 0 ] || fail "$out $err"
  inside=${out#*==$'\n'}
  expect_eq "$(say)" "$before" 'the real repository meanwhile'
  expect_ok codexos apply "$name"
  diff <(printf '%s\n' "$inside") <(say) >&2 || fail "$name: git says something else after apply"
  [ "$(git diff HEAD --stat | wc -l)" -ge 1 ] || fail 'nothing was left uncommitted'
  expect_eq "$(cat untracked.txt build/x.o | xargs)" 'untracked o'
  expect_ok codexos undo "$name"
  diff <(printf '%s\n' "$before") <(say) >&2 || fail "$name: git says something else after undo"
  expect_no_file untracked.txt
  expect_ok codexos undo "$name"
  diff <(printf '%s\n' "$inside") <(say) >&2 || fail "$name: git says something else after the undo of the undo"
}
step 'in the main tree'
git clone -q "$HOME/origin" "$HOME/main-tree"; cd "$HOME/main-tree"; git branch -q stable origin/stable; git branch -q wip origin/wip
journey main-tree no
step 'and with everything packed'
git clone -q "$HOME/origin" "$HOME/packed"; cd "$HOME/packed"; git branch -q wip origin/wip
journey packed gc
step 'in a worktree'
git clone -q "$HOME/origin" "$HOME/with-trees"; cd "$HOME/with-trees"; git branch -q wip origin/wip
git worktree add -q -b second "$HOME/second-tree" main
elsewhere=$(git status --porcelain --branch)
cd "$HOME/second-tree"
journey worktree no
expect_eq "$(git -C "$HOME/with-trees" status --porcelain --branch)" "$elsewhere" 'the main tree beside it'
step 'the next task goes on where the last apply ended'
expect_ok codexos run --apply -- sh -c 'git add -A && git commit -qm "everything" && git log --oneline -1'
expect_eq "$(git log -1 --format=%s)" everything
expect_eq "$(git status --porcelain | grep -v '^??')" ''
