#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What a hostile task does with its memory, processes, descriptors, CPU time, disk and log ends as it is
# documented, its neighbour goes on, and nothing is left over.
# needs: python3
# timeout: 400
# alone
# shellcheck source=../lib.sh
. "${TESTS:-$(dirname "$0")/..}/lib.sh"

work bombs
mark=neighbour-$$-$RANDOM
neighbour=$(codexos run -d -- sh -c "while :; do echo $mark; sleep 0.2; done")
goes_on() {
  local before
  before=$(codexos logs "$neighbour" | wc -l)
  wait_until 20 sh -c "[ \$(codexos logs $neighbour | wc -l) -gt $before ]"
}
bomb() { # bomb NAME CODE CAUSE OPTION... -- COMMAND...
  local name=$1 code=$2 cause=$3
  shift 3
  step "$name"
  expect_code "$code" codexos run --name "$name" --timeout 120s "$@"
  expect_eq "$(field "$name" .cause)" "$cause"
  expect_eq "$(codexos --json events "$name" | jq -r 'select(.type == "task.ended") | .cause')" "$cause"
  goes_on
}
bomb memory 137 oom --memory 64MiB -- python3 -c 'import os
open("kept", "w").write("x")
os.fork(); os.fork()
b = []
while True: b.append(bytearray(1 << 20))'
expect_has "$(codexos diff "$(field memory .id)" --name-status)" kept
bomb ignores_everything 137 oom --memory 64MiB -- python3 -c 'import os, signal, ctypes
for s in range(1, 65):
    try: signal.signal(s, signal.SIG_IGN)
    except (OSError, ValueError): pass
if os.fork() == 0:
    os.setsid()
    ctypes.CDLL(None).prctl(4, 0)
    b = []
    while True: b.append(bytearray(1 << 20))
os.wait()
while True: pass'
bomb processes 0 exited --pids 50 -- python3 -c 'import os, time
n = 0
try:
    while n < 5000:
        if os.fork() == 0: time.sleep(300); os._exit(0)
        n += 1
except OSError: pass
assert n <= 52, n'
bomb processes_and_memory 137 oom --memory 64MiB --pids 300 -- python3 -c 'import os
while True:
    try: os.fork()
    except OSError: pass
    b = bytearray(1 << 20)'
bomb cpu_time 124 time_limit --cpu-time 1s -- python3 -c 'import os, signal
signal.signal(signal.SIGTERM, signal.SIG_DFL)
os.fork(); os.fork()
while True: pass'
bomb disk 125 disk --disk 20MiB -- sh -c 'cat /dev/zero >fill'
bomb scratch 125 disk --disk 20MiB -- sh -c 'cat /dev/zero >/tmp/fill'
bomb log 125 disk --disk 20MiB -- cat /dev/zero
bomb descriptors 0 exited -- python3 -c 'import os
n = 0
try:
    while n < 200000: os.open("/dev/null", os.O_RDONLY); n += 1
except OSError: pass
assert n <= 65536, n'

step 'without any limit of its own a log flood stays within the cap, and the rest of the disk is not touched'
expect_ok codexos run --name flood -- head -c 300000000 /dev/zero
[ "$(stat -c %b "$(find "$CODEXOS_HOME" -path "*$(field flood .id)*" -name stdout.log)")" -le $((66 * 2048)) ] || fail 'the log is too large'

step 'a task cannot leave its cgroup, nor lift its limits'
expect_code 137 codexos run --memory 64MiB -- python3 -c 'import os, resource
for root, dirs, files in os.walk("/sys/fs/cgroup"):
    for f in files:
        try: open(os.path.join(root, f), "w").write("0")
        except OSError: pass
for r in range(16):
    try: resource.setrlimit(r, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    except (OSError, ValueError): pass
b = []
while True: b.append(bytearray(1 << 20))'
goes_on
step 'nothing is left over'
expect_ok codexos kill "$neighbour"
wait_until 20 no_processes_with "$mark"
left() { find /sys/fs/cgroup -maxdepth 6 -type d -name "codexos-*" 2>/dev/null | grep -E "$(codexos -q ps -a | paste -sd '|')"; }
wait_until 20 sh -c "! find /sys/fs/cgroup -maxdepth 6 -type d -name 'codexos-*' 2>/dev/null | grep -qE '$(codexos -q ps -a | paste -sd '|')'"
