#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What the injection of a secret adds to a request: against the same server by the same relay, whose TLS is not
# terminated. With BENCH_STRICT=1 a promise that is missed is a failure.
# needs: python3 openssl jq
# timeout: 300
# alone
# shellcheck source=tests/bench/figures.bash
. "$(dirname "${BASH_SOURCE[0]}")/figures.bash"
# shellcheck source=tests/secrets.bash
. "$TESTS/secrets.bash"

work
cp "$TESTS/bench/inject.py" "$NET/ca.pem" .
python3 inject.py serve "$NET" &
started+=($!)
wait_until 10 test -s "$NET/bench.port"
port=$(cat "$NET/bench.port")
set_secret bench --host "good.test:$port,private" --env KEY
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
new='' reused=''
for _ in 1 2 3 4 5; do
  read -r n0 r0 < <(codexos run --allow "good.test:$port,private" -- python3 inject.py good.test "$port" ca.pem 100)
  read -r n1 r1 < <(codexos run --secret bench -- python3 inject.py good.test "$port" "" 100)
  new+="$(awk "BEGIN { printf \"%.2f\", ($n1 - $n0) / 1000 }")"$'\n'
  reused+="$((r1 - r0))"$'\n'
done
tell 'new connection with a secret, added, ms' "$(printf %s "$new" | median)" '<=' 1 "last: $n1 against $n0 us"
tell 'request with a secret, added, us' "$(printf %s "$reused" | median)" '<=' 50 "last: $r1 against $r0 us"
read -r without with < <(python3 - <<'P'
import statistics, subprocess, time
took = {'none': [], 'key': []}
for i in range(60):
    for how in took:
        begin = time.perf_counter()
        subprocess.run(['codexos', 'run', *(['--secret', 'bench'] if how == 'key' else ['--allow', 'good.test']), '--', '/bin/true'], check=True,
                       stdin=subprocess.DEVNULL)
        if i > 5:
            took[how].append(time.perf_counter() - begin)
        time.sleep(0.03)
print(*(f'{statistics.median(t) * 1000:.2f}' for t in took.values()))
P
)
tell 'start with a secret, added, ms' "$(awk "BEGIN { printf \"%.2f\", $with - $without }")" '<=' 20 "$with against $without ms"
