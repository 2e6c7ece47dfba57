#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What a large work tree costs: a start in it, and the diff of a few changes. Prints the figures beside the
# promises; with BENCH_STRICT=1 a promise that is missed is a failure.
# needs: git python3
# timeout: 600
# alone
# shellcheck source=tests/bench/figures.bash
. "$(dirname "${BASH_SOURCE[0]}")/figures.bash"

bench() { python3 "$TESTS/bench/diff.py" "$@"; }

git_identity
git config --global gc.auto 0  # it would go on in the background
work small && git init -q . && for i in 0 1 2 3 4 5 6 7 8 9; do echo "$i" >"$i"; done && git add -A && git commit -q -m small
work large && bench tree 100000 && git init -q . && git add -A && git commit -q -m large
git status --porcelain >/dev/null # its index is as fresh as it gets

codexos daemon start >/dev/null 2>&1
expect_ok codexos run --name hundred -- python3 -c '
import os
for i in range(100):
    with open("d%d/f%d" % (i, i), "a") as f: f.write("changed\n")'
expect_has "$(codexos diff --stat hundred)" ' 100 files changed'
expect_eq "$(codexos diff --name-status hundred | wc -l)" 100
read -r ratio ours theirs < <(bench against "${BENCH_PAIRS:-40}" codexos diff --stat hundred -- git status)
tell 'diff --stat, 100 of 100,000 files, ms' "$ours" '<=' 15
tell 'git status there, ratio to it' "$ratio" '>=' 20 "$theirs ms"
read -r _ ours theirs < <(bench against "${BENCH_PAIRS:-40}" codexos diff hundred -- codexos diff --stat hundred)
tell 'the whole patch, ms' "$ours" '<=' 30 "--stat: $theirs ms"

read -r more large small < <(bench starts "${BENCH_PAIRS:-100}" "$HOME/large" "$HOME/small")
tell 'start in 100,000 files over 10 files, ms' "$more" '<=' 2 "$large ms against $small ms"
all_told
