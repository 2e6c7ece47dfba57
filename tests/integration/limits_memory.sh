#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# --memory ends a task with 137 and cause oom, however it uses the memory; its changes are kept, and who has
# no limit goes on.
# needs: python3
# timeout: 300
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

work
codexos run -d --name neighbour -- sleep 300 >/dev/null

# bomb NAME CODE ARG...: what ends at a limit of 64 MiB as oom.
bomb() {
  local name=$1
  shift
  step "$name"
  expect_code 137 codexos run --name "$name" --memory 64MiB --timeout 120s -- "$@"
  expect_has "$err" 'memory limit of 64MiB (--memory)' 'the reason on stderr'
  expect_eq "$(field "$name" '.cause + " " + .state')" 'oom killed'
  state_is neighbour running || fail 'the neighbour does not run any more'
}
bomb one_process python3 -c 'open("kept","w").write("x"); b = []
while True: b.append(bytearray(1 << 20))'
expect_has "$(codexos diff "$(field one_process .id)" --name-status)" kept
bomb many_processes python3 -c 'import os, time
for i in range(8):
    if os.fork() == 0:
        b = bytearray(16 << 20)
        for k in range(0, len(b), 4096): b[k] = 1
        time.sleep(600)
time.sleep(600)'
bomb scratch_space sh -c 'head -c 200000000 /dev/zero >/tmp/fill; sleep 600'
bomb nameless_file python3 -c 'import os, time
fd = os.memfd_create("x")
for i in range(200): os.write(fd, b"x" * (1 << 20))
time.sleep(600)'
bomb shared_memory python3 -c 'import mmap, time
m = mmap.mmap(-1, 200 << 20)
for k in range(0, len(m), 4096): m[k] = 1
time.sleep(600)'
bomb not_dumpable python3 -c 'import ctypes, time
ctypes.CDLL(None).prctl(4, 0)
b = []
while True: b.append(bytearray(1 << 20))'

step 'nearly used up: one event, and a line on stderr'
expect_ok codexos run --name near --memory 64MiB -- python3 -c 'import time
b = bytearray(54 << 20)
for k in range(0, len(b), 4096): b[k] = 1
time.sleep(2)'
expect_has "$err" "four fifths of the task's memory limit of 64MiB are used (--memory)"
expect_eq "$(codexos --json events near | jq -c 'select(.type == "task.limit") | [.limit, .most, .used > 50000000]')" \
  '["memory",67108864,true]'
expect_eq "$(field near '.usage.memory_bytes > 50000000')" true

step 'what is shared is not counted for each'
expect_ok codexos run --memory 96MiB -- python3 -c 'import os, time
b = bytearray(40 << 20)
for k in range(0, len(b), 4096): b[k] = 1
pids = [os.fork() for i in range(4)] if True else []
time.sleep(1)'

step 'who holds it is told'
held=$(field near '.limits[] | select(.name == "memory") | .by')
expect_match "$held" '^(sampling|cgroup v[12])$'
expect_has "$(codexos inspect near)" "memory 64MiB ($held)"
expect_has "$(codexos run --plan-only --memory 64MiB -- true)" "64MiB ($held)"
expect_eq "$(codexos --json events near | jq -r 'select(.type == "task.created") | .limits[0].by')" "$held"
expect_has "$(codexos why one_process)" '--memory 128MiB'
state_is neighbour running || fail 'the neighbour does not run any more'
