#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# stats prints what tasks use now, with limits and without; of an ended task what it used.
# needs: python3
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

work
cat >use.py <<'P'
import os, time
b = bytearray(30 << 20)
for k in range(0, len(b), 4096): b[k] = 1
open("changed", "wb").write(b"x" * (3 << 20))
open("/tmp/scratch", "wb").write(b"x" * (5 << 20))
if os.fork() == 0: time.sleep(600)
t = time.process_time()
while time.process_time() - t < 0.2: pass
print("ready", flush=True)
time.sleep(600)
P
for limits in '' '--memory 200MiB --disk 100MiB --cpu-time 1m'; do
  step "with: $limits"
  # shellcheck disable=SC2086
  task=$(codexos run -d $limits -- python3 use.py)
  wait_until 30 sh -c "codexos logs $task | grep -q ready"
  s=$(codexos --json stats "$task")
  expect_eq "$(jq -r '.task' <<<"$s")" "$task"
  for ok in '.memory_bytes > 30000000' '.memory_bytes < 150000000' '.cpu_us >= 150000' '.pids == 2' \
    '.disk_bytes >= 8000000' '.disk_bytes < 60000000' '.wall_us > 0' '.state == "running"'; do
    expect_eq "$(jq -r "$ok" <<<"$s")" true "$ok of $s"
  done
  expect_has "$(codexos stats)" "$task"
  expect_eq "$(codexos -q stats)" "$task"
  expect_ok codexos kill "$task"
  expect_eq "$(codexos --json stats "$task" | jq -r '.state')" killed
  [ -z "$limits" ] || expect_eq "$(codexos --json stats "$task" | jq -r '.memory_bytes > 30000000')" true
done
expect_has "$(codexos stats "$task")" '/ 200MiB'
expect_eq "$(codexos --json stats)" ''
expect_error 3 nobody codexos stats nobody
