#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What the relay costs: throughput of one stream against a direct loopback connection of the same programs,
# the time to the first byte, a thousand connections at once, and the start of a task with a network. With
# BENCH_STRICT=1 a promise that is missed is a failure.
# needs: python3 openssl
# timeout: 300
# alone
# shellcheck source=tests/bench/figures.bash
. "$(dirname "${BASH_SOURCE[0]}")/figures.bash"
# shellcheck source=tests/network.bash
. "$TESTS/network.bash"

work
cp "$TESTS/bench/relay.py" .
python3 relay.py serve "$SCRATCH/port" &
started+=($!)
wait_until 10 test -s "$SCRATCH/port"
port=$(cat "$SCRATCH/port")
inside() { codexos run --allow "bench.test:$port,private" -- python3 relay.py "$@"; }
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

ratios='' direct='' ours=''
for _ in 1 2 3 4 5; do
  direct=$(python3 relay.py get 127.0.0.1 "$port" 2048)
  ours=$(inside get bench.test "$port" 2048)
  ratios+="$(awk "BEGIN { printf \"%.3f\", $ours / $direct }")"$'\n'
done
tell 'one stream, ratio to direct' "$(printf %s "$ratios" | median)" '>=' 0.7 "last: $ours against $direct MiB/s"

read -r _ direct < <(python3 relay.py first 127.0.0.1 "$port" 1000)
read -r looked_up ours < <(inside first bench.test "$port" 1000)
tell 'connect to first byte, added, ms' "$(awk "BEGIN { printf \"%.3f\", $ours - $direct }")" '<=' 0.3 \
  "$ours against $direct ms; to look up the name: $looked_up ms"

rss_of() { awk '/^VmRSS/ { print $2 }' "/proc/$1/status"; }
pid=$(daemon_pid)
before=$(rss_of "$pid")
mkfifo "$SCRATCH/in"
codexos run --allow "bench.test:$port,private" -- python3 relay.py hold bench.test "$port" 1000 <"$SCRATCH/in" >"$SCRATCH/held" &
holder=$!
exec 3>"$SCRATCH/in"
wait_until 60 grep -q held "$SCRATCH/held"
tell '1000 connections, added RSS, MiB' "$((($(rss_of "$pid") - before) / 1024))" '<=' 64
exec 3>&-
wait "$holder"

# In turns of ten, of which the first parks a helper for the others: each its own view.
read -r without with < <(python3 - "bench.test:$port,private" <<'P'
import statistics, subprocess, sys, time
took = {False: [], True: []}
for turn in range(12):
    for i in range(10):
        net = turn % 2 == 1
        begin = time.perf_counter()
        subprocess.run(['codexos', 'run', *(['--allow', sys.argv[1]] if net else ['--net', 'none']), '--', '/bin/true'], check=True, stdin=subprocess.DEVNULL)
        if i > 0 and turn > 1:
            took[net].append(time.perf_counter() - begin)
        time.sleep(0.03)
print(*(f'{statistics.median(t) * 1000:.2f}' for t in took.values()))
P
)
tell 'start with a network, added to --net none, ms' "$(awk "BEGIN { printf \"%.2f\", $with - $without }")" '<=' 0.5 "$with against $without ms"
all_told
