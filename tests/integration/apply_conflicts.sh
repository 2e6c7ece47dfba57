#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What the user wrote is never overwritten: edits while a task runs are conflicts, edits after it are merged
# where they are text, all or nothing, and --on-conflict decides.
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

lines() { seq 1 20; }
with() { lines | sed "$@"; }

work
lines >text; lines >other; printf 'b\0in\n' >bin
sleep 0.1
step 'written while the task ran: a conflict, nothing is applied'
mkdir -p sync
id=$(codexos run -d --name run1 --write sync -- sh -c 'echo task >text; echo task >other; touch sync/ready; while [ ! -e sync/go ]; do sleep 0.05; done')
wait_until 10 test -e sync/ready
printf 'mine\n' >text
touch sync/go
expect_ok codexos wait "$id"
expect_error 5 '1 conflict' codexos apply run1
expect_match "$err" 'text: .*while the task ran|text: .*since the task began'
expect_eq "$(cat text)" mine
expect_eq "$(cat other)" "$(lines)" 'all or nothing'
expect_code 5 codexos --json apply -n run1
expect_eq "$(jq -r '.conflicts[0].path, .outcome' <<<"$out" | xargs)" 'text conflict'
step 'ours'
expect_ok codexos apply run1 --on-conflict ours
expect_eq "$(cat text other | xargs)" 'mine task'
step 'merge keeps both sides of what was written while the task ran: what was recorded at its end is no base'
lines >text; rm -f sync/*; sleep 0.1
id=$(codexos run -d --name run2 --write sync -- sh -c 'sed -i "s/^3$/three/" text; touch sync/ready; while [ ! -e sync/go ]; do sleep 0.05; done')
wait_until 10 test -e sync/ready
with 's/^17$/seventeen/' >text
touch sync/go
expect_ok codexos wait "$id"
wait_until 10 test -s "$CODEXOS_HOME/tenants/default/tasks/$(field run2 .id)/base"
expect_ok codexos apply run2 --on-conflict merge
for mark in seventeen three '<<<<<<<'; do expect_has "$(cat text)" "$mark"; done
step 'theirs, which can be undone'
lines >text; sleep 0.1
expect_ok codexos run --name t2 -- sh -c 'echo task >bin; echo task >text'
wait_until 10 test -s "$CODEXOS_HOME/tenants/default/tasks/$(field t2 .id)/base"
printf 'my\0bin\n' >bin
expect_error 5 conflict codexos apply t2
expect_ok codexos apply t2 --on-conflict theirs
expect_eq "$(cat bin)" task
expect_ok codexos undo t2
expect_eq "$(tr '\0' . <bin)" my.bin
step 'text written after the end: merged'
lines >text; sleep 0.1
expect_ok codexos run --name t3 -- sed -i 's/^3$/three/' text
wait_until 10 test -s "$CODEXOS_HOME/tenants/default/tasks/$(field t3 .id)/base"
with 's/^17$/seventeen/' >text
expect_ok codexos apply t3
expect_has "$err" merged
expect_eq "$(cat text)" "$(with 's/^3$/three/;s/^17$/seventeen/')"
expect_ok codexos undo t3
expect_eq "$(cat text)" "$(with 's/^17$/seventeen/')"
step 'the same line: a conflict, or markers'
lines >text; sleep 0.1
expect_ok codexos run --name t4 -- sed -i 's/^3$/three/' text
wait_until 10 test -s "$CODEXOS_HOME/tenants/default/tasks/$(field t4 .id)/base"
with 's/^3$/drei/' >text
expect_error 5 'same lines' codexos apply t4
expect_ok codexos apply t4 --on-conflict merge
expect_has "$(cat text)" '<<<<<<<'
expect_has "$(cat text)" drei
expect_has "$(cat text)" three
step 'removed here, made here, both'
printf '1\n' >r1; printf '2\n' >r2; mkdir dir; printf 'i\n' >dir/in; sleep 0.1
expect_ok codexos run --name t5 -- sh -c 'echo task >r1; echo task >made; rm -r dir'
wait_until 10 test -s "$CODEXOS_HOME/tenants/default/tasks/$(field t5 .id)/base"
rm r1; printf 'mine\n' >made; printf 'mine\n' >dir/mine
expect_code 5 codexos apply t5
for path in r1 made dir/mine; do expect_has "$err" "$path"; done
expect_file dir/in
expect_ok codexos apply t5 --on-conflict ours
expect_no_file r1; expect_eq "$(cat made dir/mine | xargs)" 'mine mine'
expect_no_file dir/in
step 'between two tasks of a chain: each path by the task that changed it'
printf 'p\n' >p; printf 'q\n' >q; sleep 0.1
expect_ok codexos run --name c1 -- sh -c 'echo 1 >p'
wait_until 10 test -s "$CODEXOS_HOME/tenants/default/tasks/$(field c1 .id)/base"
printf 'edited\n' >q; sleep 0.1
expect_ok codexos run -c --name c2 -- sh -c 'cat q; echo 2 >>q'
expect_has "$out" edited
expect_ok codexos apply c2
expect_eq "$(cat p q | xargs)" '1 edited 2'
step 'and what the chain never saw is not overwritten'
printf 'p\n' >p; sleep 0.1
expect_ok codexos run --name c3 -- sh -c 'echo 1 >p'
wait_until 10 test -s "$CODEXOS_HOME/tenants/default/tasks/$(field c3 .id)/base"
printf 'edited\n' >p; sleep 0.1
expect_ok codexos run -c --name c4 -- sh -c 'echo 2 >>p'
expect_code 5 codexos apply c4
expect_eq "$(cat p)" edited
expect_error 5 'went on' codexos apply c3
step 'parallel tasks: the second is merged with what the first left, also when that was applied while it ran'
lines >text; rm -f sync/*; sleep 0.1
id=$(codexos run -d --name par2 --write sync -- sh -c 'sed -i "s/^18$/eighteen/" text; touch sync/ready; while [ ! -e sync/go ]; do sleep 0.05; done')
wait_until 10 test -e sync/ready
expect_ok codexos run --apply --name par1 -- sed -i 's/^2$/two/' text
expect_eq "$(cat text)" "$(with 's/^2$/two/')"
touch sync/go; expect_ok codexos wait "$id"
expect_ok codexos apply par2
expect_eq "$(cat text)" "$(with 's/^2$/two/;s/^18$/eighteen/')"
expect_ok codexos undo par2
expect_eq "$(cat text)" "$(with 's/^2$/two/')"
step 'written while the task ran, in a git work tree: the base is the blob of the index'
repo with-index; rm -rf "$HOME/with-index/sync"; mkdir sync; echo sync >.gitignore
lines >text; lines >dirty; with 's/^5$/dirty/' >same; git add -A; git commit -qm lines
sleep 0.05; git status >/dev/null; with 's/^9$/nine/' >dirty; sleep 0.1
id=$(codexos run -d --name git1 --write sync -- sh -c 'sed -i "s/^3$/three/" text dirty; touch sync/ready; while [ ! -e sync/go ]; do sleep 0.05; done')
wait_until 10 test -e sync/ready
sed -i 's/^17$/seventeen/' text dirty
touch sync/go
expect_ok codexos wait "$id"
expect_ok codexos apply git1
expect_has "$err" '2 paths merged'
expect_eq "$(cat text)" "$(with 's/^3$/three/;s/^17$/seventeen/')"
expect_eq "$(cat dirty)" "$(with 's/^3$/three/;s/^9$/nine/;s/^17$/seventeen/')" 'what was edited before and while the task ran'
expect_ok codexos undo git1
expect_eq "$(cat text)" "$(with 's/^17$/seventeen/')"
step 'but not when git looked after the task began, or both changed the same line'
git checkout -q .; git status >/dev/null; sleep 0.1; rm -f sync/*
id=$(codexos run -d --name git2 --write sync -- sh -c 'sed -i "s/^3$/three/" text dirty; touch sync/ready; while [ ! -e sync/go ]; do sleep 0.05; done')
wait_until 10 test -e sync/ready
sed -i 's/^3$/drei/' dirty; with 's/^17$/seventeen/' >text; git add text
touch sync/go
expect_ok codexos wait "$id"
expect_error 5 '2 conflicts' codexos apply git2
expect_match "$err" 'dirty: .*the same lines'
expect_eq "$(cat text)" "$(with 's/^17$/seventeen/')"
