#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# run with streams that are closed, full or gone: no hang, no leak, the documented codes.
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

work
step 'a reader that is gone: the program gets SIGPIPE'
set +o pipefail
timeout 20 codexos run --name gone -- yes | head -1 >/dev/null
wait_until 10 ended gone
set -o pipefail
expect_match "$(field gone '.cause + " " + (.signal|tostring)')" 'signaled 13'
step 'EPIPE changes no code'
set +o pipefail
{ code=0; codexos run -- sh -c 'trap "" PIPE; while echo x; do :; done 2>/dev/null; exit 5' || code=$?; echo $code >code.txt; } | head -1 >/dev/null
set -o pipefail
wait_until 10 test -s code.txt
expect_eq "$(cat code.txt)" 5
step '/dev/full: a 0 becomes 125 under run, 1 elsewhere'
code=0; codexos run -- sh -c 'echo x; exit 0' >/dev/full 2>err || code=$?
expect_eq "$code" 125 'run >/dev/full'
expect_has "$(cat err)" 'error: '
code=0; codexos run -- sh -c 'echo x; exit 4' >/dev/full 2>/dev/null || code=$?
expect_eq "$code" 4 'a failed program keeps its code'
for verb in version 'ps -a' 'status' 'help'; do
  # shellcheck disable=SC2086
  { code=0; codexos $verb >/dev/full 2>err || code=$?; }
  expect_eq "$code" 1 "$verb >/dev/full"
done
step 'closed descriptors'
for redirection in '<&-' '>&-' '2>&-' '<&- >&-' '<&- >&- 2>&-'; do
  code=0
  timeout 20 sh -c "codexos run -- sh -c 'exit 6' $redirection" || code=$?
  expect_eq "$code" 6 "run $redirection"
done
step 'no descriptor of the caller is inherited'
exec 9<"$HOME"
expect_ok codexos run -- sh -c 'ls /proc/self/fd | xargs'
expect_eq "$out" '0 1 2 3'
exec 9<&-
