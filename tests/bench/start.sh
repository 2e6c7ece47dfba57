#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What a start costs, with everything on: ratios to bubblewrap, tasks a second, resident sets. Prints the
# figures beside the promises; with BENCH_STRICT=1 a promise that is missed is a failure.
# needs: bwrap python3
# timeout: 300
# alone
# shellcheck source=tests/bench/figures.bash
. "$(dirname "${BASH_SOURCE[0]}")/figures.bash"

need_bwrap
bench() { python3 -B "$TESTS/bench/start.py" "$@"; }
work
pairs=${BENCH_PAIRS:-200}

codexos daemon start >/dev/null 2>&1
read -r ratio ours theirs p90 < <(bench pairs "$pairs")
tell 'start, helper parked, ratio to bwrap' "$ratio" '<=' 0.6 "$ours ms against $theirs ms, p90 $p90"
read -r ratio ours theirs < <(bench clients 4 8)
tell '4 clients, tasks/s, ratio to bwrap' "$ratio" '>=' 1.1 "$ours against $theirs"

codexos run -d --name idle -- sleep 60 >/dev/null
rss_of() { awk '/^VmRSS/ { print $2 }' "/proc/$1/status"; }
wait_until 10 state_is idle running
sleep 2 # it gives back what it needed to start
tell 'resident set of an idle shim, KiB' "$(rss_of "$(field idle .pid)")" '<=' 1024
tell 'resident set of the daemon, KiB' "$(rss_of "$(daemon_pid)")" '<=' 16384
codexos kill idle >/dev/null
codexos daemon stop >/dev/null

CODEXOS_PARKED=0 codexos daemon start >/dev/null 2>&1
if [ "$(codexos --json daemon status | jq .helpers_parked)" = 0 ]; then
  read -r ratio ours theirs p90 < <(bench pairs "$pairs")
  tell 'start, nothing parked, ratio to bwrap' "$ratio" '<=' 0.9 "$ours ms against $theirs ms, p90 $p90"
fi
all_told
