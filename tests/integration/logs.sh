#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# logs reads an append-only log: complete, streams apart, -f follows through the start until the end.
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

work
id=$(codexos run -d --name talk -- sh -c 'for i in 1 2 3; do echo line $i; echo err $i >&2; sleep 0.2; done')
expect_ok codexos logs -f talk
expect_eq "$(xargs <<<"$out")" 'line 1 line 2 line 3'
expect_eq "$(xargs <<<"$err")" 'err 1 err 2 err 3'
expect_ok codexos logs "$id"
expect_eq "$(xargs <<<"$out")" 'line 1 line 2 line 3'
expect_ok codexos logs --tail 1 --stream stdout talk
expect_eq "$out" 'line 3'
step 'what is there is printed, and logs ends while the task runs'
x=$(codexos run -d -- sh -c 'echo early; exec sleep 60')
wait_until 10 eval 'codexos logs '"$x"' | grep -q early'
expect_ok timeout 10 codexos logs "$x"
codexos stop "$x" >/dev/null
step 'without TASK it is the last of the workspace'
expect_ok codexos run -- echo latest
expect_ok codexos logs
expect_eq "$out" latest
step 'bytes come back as they were'
head -c 300000 /dev/urandom >../random
codexos run --name bytes -- cat <../random >/dev/null
codexos logs bytes >../copy
cmp ../random ../copy || fail 'binary in the log'
step 'foreground output with a redirect is in the log as well'
codexos run --name file -- echo in both >../file
expect_eq "$(codexos logs file)" 'in both'
step '--json'
expect_ok codexos --json logs talk
expect_eq "$(jq -s 'map(select(.stream=="stdout").text)|join("")' <<<"$out")" '"line 1\nline 2\nline 3\n"'
expect_eq "$(jq -s '[.[]|select(.stream=="stdout").offset]|min' <<<"$out")" 0
codexos --json logs bytes | jq -s 'all(.[]; .type=="output" and (.text or .base64))' | grep -qx true || fail 'output lines'
step 'a terminal gets colours and no other escape'
expect_ok codexos run --name esc -- printf '\033[31mred\033[0m \033]0;title\007 \033[2J done\n'
expect_ok pty -- codexos logs esc
expect_has "$out" $'\033[31mred'
expect_hasnt "$out" $'\033]0;'
expect_hasnt "$out" $'\033[2J'
expect_ok pty -- codexos logs --raw esc
expect_has "$out" $'\033]0;title'
expect_has "$(codexos logs esc)" $'\033]0;title' 'a pipe gets the bytes'
