#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# why names what a failed task could not have, with the option or policy line that would allow it, and
# policy suggest writes the policy that does.
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

mkdir -p ~/.ssh ~/tools ~/.config/codexos && echo key >~/.ssh/id_rsa
printf '#!/bin/sh\necho tool\n' >~/tools/mytool && chmod +x ~/tools/mytool
repo

step 'a path that is there and not shown'
expect_code 1 codexos run -- cat ~/.ssh/id_rsa
expect_has "$err" "$HOME/.ssh/id_rsa is there, but not shown to the task · --show $HOME/.ssh/id_rsa"
expect_ok codexos why
expect_has "$out" "path: $HOME/.ssh/id_rsa is there, but not shown to the task"
expect_has "$out" "option  --show $HOME/.ssh/id_rsa"
expect_has "$out" "policy  show: [$HOME/.ssh/id_rsa]"
expect_eq "$(codexos --json why | json '.reasons[0]|[.what,.target,.times]|map(tostring)|join(" ")')" "path $HOME/.ssh/id_rsa 1"

step 'in a script, too; what is inside is not told, and neither is a success'
expect_code 1 codexos run -- sh -c 'cat ~/.ssh/id_rsa "$HOME/tools/mytool"; ls /usr/bin/env file.txt /etc/passwd >/dev/null; false'
expect_ok codexos why
expect_eq "$(codexos --json why | json '[.reasons[].target]|sort|join(" ")')" "$HOME/.ssh/id_rsa $HOME/tools/mytool"
expect_code 1 codexos run -- false
expect_eq "$err" ''
expect_ok codexos why
expect_eq "$out" ''
expect_ok codexos run -- sh -c 'cat ~/.ssh/id_rsa; true'
expect_hasnt "$err" 'not shown to'
expect_eq "$(codexos --json why 2>/dev/null | json '.reasons|length')" 0

step 'a program that is on PATH and not inside'
expect_code 127 env PATH="$PATH:$HOME/tools:$HOME/nowhere" codexos run -- nosuchprogram
expect_hasnt "$err" 'not shown to'
mkdir -p ~/tools/sub && mv ~/tools/mytool ~/tools/sub/
expect_code 127 codexos run -- "$HOME/tools/sub/mytool"
expect_has "$err" "$HOME/tools/sub/mytool is there, but not shown to the task · --show $HOME/tools/sub/mytool"
expect_ok codexos run --show ~/tools/sub/mytool -- "$HOME/tools/sub/mytool"
expect_eq "$out" tool

step 'at most three are named after a failure'
for n in 1 2 3 4 5; do echo x >~/file$n; done
expect_code 1 codexos run -- cat ~/file1 ~/file2 ~/file3 ~/file4 ~/file5
expect_eq "$(grep -c 'not shown to the task' <<<"$err" || true)" 3
expect_has "$err" 'and 2 more · codexos why'
expect_eq "$(codexos --json why | json '.reasons|length')" 5

step 'the suggested policy is what it takes'
codexos policy suggest >"$TMPDIR/p.yaml" 2>/dev/null
expect_ok codexos policy check "$TMPDIR/p.yaml"
expect_ok codexos run --policy "$TMPDIR/p.yaml" -- cat ~/file1 ~/file2 ~/file3 ~/file4 ~/file5
expect_eq "$out" $'x\nx\nx\nx\nx'
expect_eq "$(codexos policy suggest 2>/dev/null | grep -c file)" 5 'what it had stays in it'

step 'limits, with who set them'
expect_code 124 codexos run --timeout 300ms -- sleep 20
expect_ok codexos why
expect_has "$out" 'limit: it ran longer than its time limit of 300ms'
expect_has "$out" '--timeout 300ms'
expect_has "$out" 'option  --timeout 600ms'
printf 'limits: {idle_timeout: 200ms}\n' >~/.config/codexos/config.yaml
expect_code 124 codexos run -- sleep 20
expect_ok codexos why
expect_has "$out" "by      $HOME/.config/codexos/config.yaml"
expect_has "$out" "policy  limits: {idle_timeout: '400ms'}"
expect_has "$(codexos policy suggest 2>/dev/null)" "idle_timeout: '400ms'"

step 'what a policy hides, and what an untrusted project wanted'
printf 'hide: [sub]\n' >~/.config/codexos/config.yaml
printf 'env: [TOKEN]\n' >.codexos.yaml
expect_code 1 codexos run -- cat sub/deep.txt
expect_has "$err" "$PWD/sub/deep.txt is hidden from the task"
expect_ok codexos why
expect_has "$out" "hidden: $PWD/sub/deep.txt is hidden from the task"
expect_has "$out" "by      $HOME/.config/codexos/config.yaml"
expect_has "$out" 'trust: .codexos.yaml is not trusted, so without env: TOKEN'
expect_has "$out" 'policy  codexos trust'

step 'inside, a file says what the task may do'
expect_ok codexos run --timeout 5m -- cat /run/codexos/policy.txt
expect_has "$out" 'network: none'
expect_has "$out" 'time limit: 5m'
expect_has "$out" "hidden: $PWD/sub"
expect_has "$out" 'do not try again'
expect_ok codexos run --mode read-only -- cat /run/codexos/policy.txt
expect_has "$out" 'read-only'

step 'wrong usage'
expect_error 3 '' codexos why nothing
expect_error 3 '' codexos policy suggest nothing
cd ~/tools
expect_error 3 '' codexos why
