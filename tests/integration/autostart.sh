#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The CLI starts the daemon when nobody listens; one of many racers wins and all are served.
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

work
for n in 1 2 3 4 5 6 7 8; do { code=0; codexos run -- sh -c "exit $n" || code=$?; echo $code >code.$n; } & done
for n in 1 2 3 4 5 6 7 8; do wait_until 30 test -s code.$n; expect_eq "$(cat code.$n)" $n; done
pid=$(daemon_pid)
step 'after a kill -9 the next command starts a new one; the stale socket is replaced'
kill -KILL "$pid"; wait_until 5 dead "$pid"
expect_file "$CODEXOS_HOME/codexosd.sock"
expect_ok codexos ps
expect_ne "$(daemon_pid)" "$pid"
step 'a second daemon on the same folder leaves it to the first'
code=0
timeout 10 "$CODEXOS_BIN/codexosd" >d.out 2>&1 </dev/null || code=$?
expect_ne "$code" 124 'a second daemon kept running'
expect_ok codexos ps
step 'a caller with a strange umask, limits and cwd does not hand them on'
codexos daemon stop >/dev/null
mkdir gone && cd gone && rmdir ../gone
(umask 777; ulimit -n 64; codexos daemon start) >/dev/null 2>&1
cd "$HOME/work"
expect_ok codexos run -- sh -c 'umask; ulimit -n; pwd'
expect_has "$out" "$HOME/work"
expect_ok codexos run -- true
