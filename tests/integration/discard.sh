#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# discard throws a task's changes away; what it started from waits again.
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

work
expect_ok codexos run --name one -- sh -c 'echo 1 >f'
expect_ok codexos run -c --name two -- sh -c 'echo 2 >f'
expect_error 5 'went on' codexos discard one
expect_ok codexos discard two
expect_eq "$out" "$(field two .id)"
expect_eq "$(field two .changes_state) $(field one .changes_state)" 'discarded waiting'
wait_until 10 test ! -e "$CODEXOS_HOME/tenants/default/tasks/$(field two .id)/layers"
expect_ok codexos discard two
expect_has "$err" 'no changes waited'
expect_ok codexos apply two
expect_has "$err" discarded
expect_no_file f
expect_ok codexos run -c -- cat f
expect_eq "$out" 1
expect_ok codexos run --name three -- sh -c 'echo 3 >g'
expect_ok codexos apply three
expect_error 5 undo codexos discard three
id=$(codexos run -d -- sleep 60)
wait_until 10 state_is "$id" running
expect_error 5 running codexos discard "$id"
expect_eq "$(codexos --json events two | jq -r .type | tail -1)" task.discarded
step 'only some paths'
work some; mkdir -p d/in opaque; echo 1 >m; echo 2 >gone; echo i >d/in/i; echo j >d/j; echo o >opaque/o; echo t >t; mkdir mode; ln -s m l; sleep 0.1
expect_ok codexos run --name some -- sh -c 'echo 2 >m; rm gone; rm -r d; mkdir -p new/deep; echo n >new/deep/n; echo x >new/x; rm -r opaque; mkdir opaque; echo p >opaque/p; rm t; mkdir t; echo in >t/in; chmod 700 mode; ln -sf t l; echo a >a.log; echo b >b.log'
names() { codexos diff --name-status "$1" | tr '\t' ' ' | sort | xargs; }
expect_error 3 'none of these' codexos discard some -- nothing
expect_ok codexos discard some -- '*.log' m
expect_hasnt "$(names some)" log
expect_hasnt "$(names some) " ' M m '
expect_eq "$(field some .changes_state)" waiting
expect_ok codexos discard some -- d/in/i
expect_ok codexos run --from some --name look -- sh -c 'cat d/in/i m; ls d; test ! -e gone; cat new/deep/n'
expect_eq "$(xargs <<<"$out")" 'i 1 in n'
expect_ok codexos discard look
expect_ok codexos discard some -- opaque new/deep t
(cd new 2>/dev/null) && fail 'the real folder was changed'
expect_eq "$(names some)" 'A new/x D d/j D gone M l M mode'
expect_ok codexos discard some -- mode l gone
expect_eq "$(names some)" 'A new/x D d/j'
expect_ok codexos apply some
expect_eq "$(cat m gone d/in/i opaque/o t new/x | xargs)" '1 2 i o t x'
expect_no_file d/j; expect_no_file opaque/p
step 'all paths: as without them'
expect_ok codexos run --name every -- sh -c 'echo 1 >e1; mkdir e; echo 2 >e/2; rm m'
expect_ok codexos discard every -- .
expect_eq "$(field every .changes_state)" discarded
wait_until 10 test ! -e "$CODEXOS_HOME/tenants/default/tasks/$(field every .id)/layers"
step 'what an earlier task of the chain did is hidden by a copy of what is here'
echo 1 >k; mkdir kd; echo 1 >kd/f; sleep 0.1
expect_ok codexos run --name c1 -- sh -c 'echo 2 >k; echo n >made; rm -r kd; mkdir kd; echo 2 >kd/g'
expect_ok codexos run -c --name c2 -- sh -c 'echo 3 >k; echo z >z'
expect_ok codexos discard c2 -- k made kd
expect_eq "$(names c2)" 'A z'
expect_ok codexos run -c --name c3 -- sh -c 'cat k kd/f; ls -a kd; test ! -e made'
expect_eq "$(xargs <<<"$out")" '1 1 . .. f'
expect_ok codexos apply c3
expect_eq "$(cat k kd/f z | xargs)" '1 1 z'
