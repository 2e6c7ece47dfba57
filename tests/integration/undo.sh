#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# undo brings back what apply replaced, also what a shell removed; what was changed since is a conflict; the
# undo of an undo applies again.
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

tree() { find . -mindepth 1 -printf '%y %m %p %l\n' | sort; find . -type f -print0 | sort -z | xargs -0 sha256sum; }
work
mkdir -p keep/deep; printf 'one\n' >keep/deep/one; chmod 600 keep/deep/one; printf 'two\n' >two; ln -s two l; mkdir -m 555 closed; sleep 0.1
before=$(tree)
expect_error 5 'applied' codexos undo "$(codexos run -d -- true)"
expect_ok codexos run --name t -- sh -c 'rm -rf keep; echo changed >two; chmod 755 two; ln -sf keep l; mkdir new; echo n >new/n; rmdir closed'
expect_error 5 'applied' codexos undo t
expect_ok codexos apply t
applied=$(tree)
expect_ne "$applied" "$before"
expect_ok codexos undo -n t
expect_eq "$(tree)" "$applied"
expect_ok codexos undo t
expect_eq "$(tree)" "$before" 'the tree after undo'
expect_eq "$(field t .changes_state)" waiting
step 'the undo of an undo'
expect_ok codexos undo last
expect_has "$err" t
expect_eq "$(tree)" "$applied" 'the tree after the undo of the undo'
expect_eq "$(field t .changes_state)" applied
expect_ok codexos undo
expect_eq "$(tree)" "$before"
step 'and apply again'
expect_ok codexos apply t
expect_eq "$(tree)" "$applied"
step 'changed since: a conflict, nothing is undone'
printf 'mine\n' >two
expect_error 5 '1 conflict' codexos undo t
expect_has "$err" 'two: '
expect_no_file keep
expect_ok codexos undo t --on-conflict ours
expect_file keep/deep/one
expect_eq "$(cat two)" mine
step 'merge: only the lines of the apply are taken back'
seq 1 20 >text; sleep 0.1
expect_ok codexos run --name m -- sh -c 'sed -i "s/^3$/three/" text; chmod 755 text'
expect_ok codexos apply m
sed -i 's/^17$/seventeen/' text
expect_error 5 '1 conflict' codexos undo m
expect_has "$(cat text)" three
expect_ok codexos undo m --on-conflict merge
expect_has "$err" merged
expect_eq "$(cat text)" "$(seq 1 20 | sed 's/^17$/seventeen/')"
expect_eq "$(stat -c %a text)" 644
expect_ok codexos undo m
expect_eq "$(cat text)" "$(seq 1 20 | sed 's/^3$/three/;s/^17$/seventeen/')" 'the undo of a merged undo'
step 'merge of the same line: markers'
sed -i 's/^3$/drei/; s/three/drei/' text
expect_ok codexos undo m --on-conflict merge
for mark in '<<<<<<<' drei; do expect_has "$(cat text)" "$mark"; done
step 'a folder that holds something by now stays'
expect_ok codexos run --name f -- sh -c 'mkdir made; echo 1 >made/one'
expect_ok codexos apply f
printf 'mine\n' >made/mine
expect_ok codexos undo f
expect_has "$err" 'made stays'
expect_eq "$(ls made)" mine
expect_eq "$(codexos --json events f | jq -r .type | grep -c 'task.undone')" 1
