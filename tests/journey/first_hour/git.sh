#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# git's daily work inside a subfolder and inside a worktree: status, commit and log work with the
# user's name, nothing reaches the real repository, and no alias or helper of ~/.gitconfig gets in.
# shellcheck source=tests/journey/home.sh
. "$(dirname "${BASH_SOURCE[0]}")/../home.sh"

home_canaries
home_gitconfig
home_project
before=$(git rev-parse HEAD)

step 'in a subfolder: the whole work tree is the workspace, the current folder is kept'
cd packages/web
expect_ok codexos run -- pwd
expect_eq "$out" "$HOME/src/app/packages/web"
expect_ok codexos run -- git status --short
expect_eq "$out" ''
expect_ok codexos run -- sh -c 'echo "console.log(2)" >index.js && git status --short && git commit -qam "from inside" && git log --format="%an <%ae> %s" -1 && git log --oneline | wc -l'
expect_has "$out" ' M index.js'
expect_has "$out" 'Ada Engineer <ada@example.org> from inside'
expect_has "$out" $'\n2'
expect_eq "$(git rev-parse HEAD)" "$before" 'HEAD of the real repository'
expect_eq "$(git status --porcelain)" '' 'the real repository'

step 'the next task sees the commit with -c'
expect_ok codexos run -c -- git log --format=%s -1
expect_eq "$out" 'from inside'

step 'in the worktree'
cd ~/src/app-fix
expect_ok codexos run -- git status --short --branch
expect_eq "$out" '## fix'
expect_ok codexos run -- sh -c 'echo fixed >>README.md && git add -A && git commit -qm "a fix" && git log --format="%D %s" -1 && git branch --list'
expect_has "$out" 'fix'
expect_has "$out" 'a fix'
expect_eq "$(git rev-parse HEAD)" "$before" 'HEAD of the real worktree'
expect_eq "$(git status --porcelain)" '' 'the real worktree'
git -C ~/src/app fsck --no-progress 2>&1 | grep -v dangling | grep . && fail 'the real repository is damaged'

step 'identity and default branch come, aliases, helpers, pagers and includes do not'
expect_ok codexos run -- git config --list
expect_has "$out" 'user.name=Ada Engineer'
expect_has "$out" 'init.defaultbranch=trunk'
expect_hasnt "$out" "$canary"
expect_hasnt "$out" alias.
expect_hasnt "$out" credential
expect_hasnt "$out" include
expect_hasnt "$out" extraheader
expect_code 1 codexos run -- git st
expect_hasnt "$out$err" "$canary"
