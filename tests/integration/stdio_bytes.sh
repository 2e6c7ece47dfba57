#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Foreground run: stdin, stdout and stderr are the program's, byte for byte, in order and whole.
# timeout: 180
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

work
head -c 5000000 /dev/urandom >../random
step 'binary through stdin and stdout'
codexos run -- cat <../random >../copy
cmp ../random ../copy || fail 'a file through cat'
# shellcheck disable=SC2002  # a pipe is the point
cat ../random | codexos run -- cat | cat >../copy
cmp ../random ../copy || fail 'a pipe through cat'
step 'stderr apart from stdout'
codexos run -- sh -c 'cat >&2' <../random 2>../copy >../other
cmp ../random ../copy || fail 'through stderr'
[ ! -s ../other ] || fail 'stdout is not empty'
step 'both onto one pipe: each keeps its order (as with docker, which comes first between two turns is open)'
expect_eq "$(codexos run -- sh -c 'for i in 1 2 3 4 5; do echo o$i; echo e$i >&2; done' 2>&1 | sort | xargs)" 'e1 e2 e3 e4 e5 o1 o2 o3 o4 o5'
expect_eq "$(codexos run -- sh -c 'echo a >&2; sleep 0.2; echo b; sleep 0.2; echo c >&2' 2>&1 | xargs)" 'a b c'
step 'appending to a file does not truncate it, and its offset is shared'
printf 'before\n' >../app
{ codexos run -- echo middle; echo after; } >>../app
expect_eq "$(xargs <../app)" 'before middle after'
{ echo first; codexos run -- echo second; echo third; } >../shared
expect_eq "$(xargs <../shared)" 'first second third'
step 'nothing added: no newline, empty output, NUL bytes'
expect_eq "$(codexos run -- printf 'x' | od -c | head -1 | xargs)" '0000000 x'
expect_eq "$(codexos run -- true | wc -c)" 0
expect_eq "$(codexos run -- printf 'a\0b\n' | od -An -tx1 | xargs)" '61 00 62 0a'
step 'an end of stdin that is not /dev/null reaches the program; a program may leave it unread'
expect_eq "$(printf 'l1\nl2\n' | codexos run -- head -1)" l1
timeout 20 sh -c 'yes | codexos run -- true' || fail 'stdin that never ends, unread'
expect_eq "$(codexos run -- cat </dev/null | wc -c)" 0
step '64 MiB through stdout'
expect_eq "$(codexos run -- sh -c 'head -c 67108864 /dev/zero' | sha256sum)" "$(head -c 67108864 /dev/zero | sha256sum)"
step 'the end of the program ends the task, whatever an orphan still holds'
before=$(date +%s)
expect_eq "$(timeout 30 codexos run -- sh -c 'sleep 25 & echo now')" now
[ $(($(date +%s) - before)) -lt 15 ] || fail 'an orphan kept the task'
step 'O_NONBLOCK is not set on the description that is shared with the caller'
expect_eq "$(python3 -c '
import fcntl, os, subprocess
r, w = os.pipe()
subprocess.run(["codexos", "run", "--", "echo", "x"], stdout=w)
print(fcntl.fcntl(w, fcntl.F_GETFL) & os.O_NONBLOCK)')" 0
