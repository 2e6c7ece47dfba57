#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# wait exits with the code of the (last) task, also across a daemon that restarts.
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

work
codexos run -d --name slow -- sh -c 'sleep 1; exit 6' >/dev/null
codexos run -d --name fast -- sh -c 'exit 7' >/dev/null
expect_code 6 codexos wait fast slow
expect_code 7 codexos wait fast
expect_error 125 'nobody' codexos wait nobody
expect_code 125 codexos wait
codexos run -d --name over -- sh -c 'sleep 3; exit 11' >/dev/null
{ code=0; timeout 30 codexos wait over || code=$?; echo $code >code; } &
sleep 0.3
codexos daemon stop >/dev/null
codexos daemon start >/dev/null 2>&1
wait_until 20 test -s code
expect_eq "$(cat code)" 11
expect_code 7 codexos --json wait fast
expect_eq "$(json .exit_code <<<"$out")" 7
