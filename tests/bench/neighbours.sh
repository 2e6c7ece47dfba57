#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# How long a task waits for its own small steps beside a task that takes what it gets: the 95th percentile of a wake-up,
# a word to another process and back, and a file written, against the same alone, turn by turn.
# needs: python3
# timeout: 400
# alone
# shellcheck source=tests/bench/figures.bash
. "$(dirname "${BASH_SOURCE[0]}")/figures.bash"

work
cat >probe.py <<'P'
import os, subprocess, sys, time
cat = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
took = []
for n in range(int(sys.argv[1])):
    begin = time.monotonic()
    time.sleep(0.002)
    cat.stdin.write(b"x")
    cat.stdout.read(1)
    with open("/tmp/new", "wb") as f:
        f.write(b"x" * 4096)
    os.rename("/tmp/new", "/tmp/file")
    took.append(time.monotonic() - begin)
cat.stdin.close()
cat.wait()
took.sort()
print("%.3f" % (took[len(took) * 95 // 100] * 1000))
P
probe() { codexos exec neighbour -- python3 "$PWD/probe.py" 400; }
expect_ok codexos run -d --name neighbour -- sleep 1000
probe >/dev/null
median3() { sort -n | sed -n 2p; }

# beside NAME OPTION... -- COMMAND...: three turns alone, three beside it.
beside() {
  local name=$1 alone=() loaded=() a b
  shift
  for _ in 1 2 3; do
    alone+=("$(probe)")
    expect_ok codexos run -d --rm --name "$name" "$@"
    sleep 0.5
    loaded+=("$(probe)")
    codexos kill "$name" >/dev/null 2>&1 || true
    wait_until 20 eval '! codexos inspect '"$name"' >/dev/null 2>&1 || ended '"$name"
    codexos rm -f "$name" >/dev/null 2>&1 || true
  done
  a=$(printf '%s\n' "${alone[@]}" | median3) b=$(printf '%s\n' "${loaded[@]}" | median3)
  tell "beside $name, times its latency alone" "$(awk "BEGIN { print $b / $a }")" '<=' 1.5 "p95 $b ms against $a ms"
}
beside processors -- sh -c 'for n in 1 2 3 4; do while :; do :; done & done; wait'
beside forks --pids 200 -- sh -c 'while :; do /bin/true & /bin/true & wait; done'
beside memory --memory 256MiB -- python3 -c 'while True: b = bytearray(200 << 20); del b'
beside log -- yes
beside disk --disk 300MiB -- sh -c 'while :; do dd if=/dev/zero of=fill bs=1M count=100 2>/dev/null; done'
beside descriptors -- python3 -c 'import os
while True:
    fds = []
    try:
        while len(fds) < 60000: fds.append(os.open("/dev/null", os.O_RDONLY))
    except OSError: pass
    for fd in fds: os.close(fd)'

# With the daemon stood still nobody can be asked: the task writes its own figures.
a=$(probe)
expect_ok codexos run -d --name still -- sh -c "sleep 1; python3 probe.py 400 >figure"
pid=$(daemon_pid)
kill -STOP "$pid"
sleep 5
kill -CONT "$pid"
expect_ok codexos wait still
b=$(codexos diff still | sed -n 's/^+\([0-9.]*\)$/\1/p')
tell 'beside a daemon that stands still' "$(awk "BEGIN { print $b / $a }")" '<=' 1.5 "p95 $b ms against $a ms"
all_told
