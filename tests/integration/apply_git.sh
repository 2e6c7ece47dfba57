#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What git does inside comes through apply and back by undo: commits, branches, rebases, in the main tree and
# in a worktree. A `git status` outside meanwhile is no conflict, a ref that was moved outside is one. --commit
# commits what was applied, and nothing else.
# timeout: 240
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

facts() { git log --all --format='%H %D %s'; git status --short --branch; git stash list; }
repo app
for n in 1 2 3; do printf '%s\n' "$n" >"n$n"; git add "n$n"; git commit -qm "commit $n"; done
git branch side HEAD~2
sleep 0.1
before=$(facts)
step 'commit, branch, rebase, tag, gc'
expect_ok codexos run --name work -- sh -e -c '
  echo work >>file.txt; git commit -qam "from inside"
  git checkout -q side; echo s >s; git add s; git commit -qm "on side"; git rebase -q main
  git tag -a v1 -m v1; git checkout -q -b third; echo t >t; git add t; git commit -qm third; git gc -q
  echo left >>n1; echo untracked >new; git log --all --format="%H %D %s"; git status --short --branch; git stash list'
inside=$out
expect_eq "$(facts)" "$before"
expect_ok codexos apply work
expect_eq "$(facts)" "$inside" 'the repository after apply'
git fsck --full --strict 2>&1 | grep -Ev 'dangling|^$' | grep . && fail 'git fsck complains'
expect_ok codexos undo work
expect_eq "$(facts)" "$before" 'the repository after undo'
git fsck --full --strict 2>&1 | grep -Ev 'dangling|^$' | grep . && fail 'git fsck complains after undo'
expect_ok codexos undo work
expect_eq "$(facts)" "$inside" 'the repository after the undo of the undo'
expect_ok codexos undo work
step 'git status outside while the task runs'
mkdir -p "$HOME/app/sync"; printf 'sync\n' >>.git/info/exclude; sleep 0.1
id=$(codexos run -d --name status --write sync -- sh -c 'echo i >i; git add i; git commit -qm inside; touch sync/ready; while [ ! -e sync/go ]; do sleep 0.05; done')
wait_until 10 test -e sync/ready
touch n2; git status >/dev/null; git update-index --refresh -q >/dev/null || true
touch sync/go; expect_ok codexos wait "$id"
expect_ok codexos apply status
expect_eq "$(git log -1 --format=%s)" inside
expect_eq "$(git status --short)" ''
step 'git status after the apply is no conflict for undo'
touch n2; git status >/dev/null; git update-index --refresh -q >/dev/null || true
expect_ok codexos undo
expect_ne "$(git log -1 --format=%s)" inside
expect_eq "$(git status --short)" ''
expect_ok codexos undo
expect_eq "$(git log -1 --format=%s)" inside
expect_ok codexos undo status
step 'a commit outside while the task runs'
rm -f sync/*; sleep 0.1
id=$(codexos run -d --name moved --write sync -- sh -c 'echo i >i; git add i; git commit -qm inside; touch sync/ready; while [ ! -e sync/go ]; do sleep 0.05; done')
wait_until 10 test -e sync/ready
git commit -q --allow-empty -m outside
touch sync/go; expect_ok codexos wait "$id"
expect_code 5 codexos apply moved
expect_has "$err" refs/heads/main
expect_eq "$(git log -1 --format=%s)" outside
step 'in a worktree'
git worktree add -q ../tree -b wt; cd ../tree; sleep 0.1
expect_ok codexos run --name tree -- sh -c 'echo w >w; git add w; git commit -qm "in the worktree"; git log --all --format="%H %D %s"; git status --short --branch; git stash list'
inside=$out
expect_ok codexos apply tree
expect_eq "$(facts)" "$inside"
expect_ok codexos undo tree
expect_eq "$(git log -1 --format=%s wt)" outside
cd ../app
step '--commit: what was applied and nothing else'
printf 'user\n' >users; printf 'ignored/\n' >.gitignore; git add .gitignore; git commit -qm ignore; sleep 0.1
git config core.hooksPath "$HOME/hooks"; mkdir -p "$HOME/hooks"; printf '#!/bin/sh\ntouch %s/ran\nexit 1\n' "$HOME" >"$HOME/hooks/pre-commit"; chmod 755 "$HOME/hooks/pre-commit"
expect_ok codexos run --name c -- sh -c 'echo c >>n3; rm n2; mkdir -p sub ignored; echo x >sub/x; chmod 755 sub/x; ln -s x sub/l; echo i >ignored/i'
expect_ok codexos apply c --commit 'taken over

body'
expect_has "$out" commit
expect_eq "$(git log -1 --format=%s/%b | xargs)" 'taken over/body'
expect_eq "$(git show --name-status --format= | sort | tr '\t' ' ' | xargs)" 'A sub/l A sub/x D n2 M n3'
expect_eq "$(git ls-tree HEAD sub/ | cut -c1-6 | xargs)" '100644 120000 100755'
expect_eq "$(git status --short | xargs)" '?? users'
expect_no_file "$HOME/ran"
expect_ok codexos undo c
expect_eq "$(git log -1 --format=%s)" ignore
expect_eq "$(git status --short | xargs)" '?? users'
step 'what stands in the way of --commit'
printf 'staged\n' >n3; git add n3; git show HEAD:n3 >n3; touch -d '1 hour ago' n3; sleep 0.1
expect_ok codexos run --name st -- sh -c 'echo st >>n3'
expect_error 5 'staged' codexos apply st --on-conflict theirs --commit x
git reset -q --hard
git checkout -q --detach; expect_error 5 detached codexos apply st --on-conflict theirs --commit x; git checkout -q main
mkdir plain && cd "$HOME" && work plain && expect_ok codexos run --name p -- sh -c 'echo 1 >f'
expect_error 2 'git work tree' codexos apply p --commit x
expect_no_file f
