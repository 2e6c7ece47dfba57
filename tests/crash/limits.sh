#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Limits hold while no daemon runs and after the next one took the task over; no cgroup is left.
# needs: python3
# timeout: 200
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

work
cat >later.py <<'P'
import os, time
while not os.path.exists("/tmp/go"): time.sleep(0.05)
b = []
while True: b.append(bytearray(1 << 20))
P
cat >burn.py <<'P'
import os, time
while not os.path.exists("/tmp/go"): time.sleep(0.2)
while True: pass
P
kill_daemon() {
  local pid
  pid=$(daemon_pid)
  kill -KILL "$pid"
  wait_until 5 dead "$pid"
}
cgroups_left() { find /sys/fs/cgroup -maxdepth 6 -type d -name "codexos-*-$1" 2>/dev/null; }

step 'memory, with no daemon'
task=$(codexos run -d --memory 64MiB -- sh -c 'sleep 2; touch /tmp/go; exec python3 later.py')
wait_until 10 state_is "$task" running
kill_daemon
sleep 4
expect_code 137 codexos wait "$task"
expect_eq "$(field "$task" .cause)" oom
step 'memory, CPU time and disk, after the next daemon has taken it over'
memory=$(codexos run -d --memory 64MiB -- python3 later.py)
cpu=$(codexos run -d --cpu-time 2s -- python3 burn.py)
disk=$(codexos run -d --disk 20MiB -- sh -c 'while [ ! -e /tmp/go ]; do sleep 0.1; done; head -c 300000000 /dev/zero >big; sleep 600')
for task in "$memory" "$cpu" "$disk"; do wait_until 10 state_is "$task" running; done
kill_daemon
for task in "$memory" "$cpu" "$disk"; do expect_ok codexos exec "$task" -- touch /tmp/go; done
expect_code 137 codexos wait "$memory"
expect_code 124 codexos wait "$cpu"
expect_code 125 codexos wait "$disk"
expect_eq "$(field "$disk" .cause)" disk
step 'a paused task goes on under the next daemon, and its limit holds'
task=$(codexos run -d --memory 64MiB -- python3 later.py)
wait_until 10 state_is "$task" running
expect_ok codexos pause "$task"
kill_daemon
expect_ok codexos resume "$task"
expect_ok codexos exec "$task" -- touch /tmp/go
expect_code 137 codexos wait "$task"
step 'a paused task can be killed, also from outside'
for how in cli host; do
  task=$(codexos run -d --memory 64MiB -- sleep 300)
  wait_until 10 state_is "$task" running
  expect_ok codexos pause "$task"
  if [ $how = cli ]; then expect_ok codexos kill "$task"; else
    kill -KILL "$(field "$task" .pid)"
    wait_until 20 ended "$task"
  fi
done
step 'cgroups are gone, also those that a daemon had no time to remove'
task=$(codexos run -d --memory 64MiB -- sleep 300)
wait_until 10 state_is "$task" running
shim=$(field "$task" .pid)
kill -KILL "$(daemon_pid)" "$shim"
wait_until 10 dead "$shim"
wait_until 20 ended "$task"
for task in $(codexos -q ps -a); do
  wait_until 10 sh -c "[ -z \"\$(find /sys/fs/cgroup -maxdepth 6 -type d -name 'codexos-*-$task' 2>/dev/null)\" ]"
done
[ -z "$(cgroups_left "$task")" ]
