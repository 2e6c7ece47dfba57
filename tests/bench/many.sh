#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What much costs: `ps` and a start beside 100,000 ended tasks, a burst of starts, 200 idle tasks, and the output of
# a program through the log. With BENCH_STRICT=1 a promise that is missed is a failure.
# needs: bwrap python3
# timeout: 600
# alone
# shellcheck source=tests/bench/figures.bash
. "$(dirname "${BASH_SOURCE[0]}")/figures.bash"

need_bwrap
bench() { python3 -B "$TESTS/bench/many.py" "$@"; }
work
codexos daemon start >/dev/null 2>&1

read -r ratio ours theirs < <(bench burst 20)
tell 'burst of 20 starts, bwrap takes so many times' "$ratio" '>=' 2 "$ours ms against $theirs ms"

head -c $((512 << 20)) /dev/zero >big
read -r ratio ours theirs < <(bench output big)
tell '512 MiB by cat, ratio to bwrap' "$ratio" '>=' 0.5 "$ours against $theirs MiB/s"
rm big

rss_of() { awk '/^VmRSS/ { print $2 }' "/proc/$1/status"; }
for n in $(seq 200); do codexos run -d -q --name "idle$n" -- sleep 1000 >/dev/null || fail "task $n of 200"; done
expect_eq "$(codexos ps -q | wc -l)" 200
sleep 2
tell 'daemon beside 200 idle tasks, KiB' "$(rss_of "$(daemon_pid)")" '<=' 32768
tell 'ps of 200 idle tasks, ms' "$(bench median 30 codexos ps -q)" '<=' 10
codexos ps -q | xargs codexos kill >/dev/null
wait_until 60 sh -c '[ -z "$(codexos ps -q)" ]'

before=$(bench median 30 codexos run -- /bin/true)
codexos daemon stop >/dev/null
bench fill "$CODEXOS_HOME/tenants/default/tenant.db" 100000
codexos daemon start >/dev/null 2>&1
tell 'ps, 100,000 ended tasks stored, ms' "$(bench median 30 codexos ps)" '<=' 5
tell 'the last 50 of them, ms' "$(bench median 30 codexos ps -a -n 50)" '<=' 20
tell 'all of them, ms' "$(bench median 1 codexos ps -a)" '<=' 10000
after=$(bench median 30 codexos run -- /bin/true)
tell 'start there, added, ms' "$(awk "BEGIN { printf \"%.2f\", $after - $before }")" '<=' 1 "$after against $before ms"
all_told
