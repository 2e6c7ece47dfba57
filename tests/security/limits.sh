#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# One task cannot take what all of a user's processes share.
# needs: python3
# timeout: 400
# alone
# shellcheck source=../lib.sh
. "${TESTS:-$(dirname "$0")/..}/lib.sh"

work limits
step "a task that takes all inotify instances leaves some to its user"
cat >take.py <<'P'
import ctypes, time
libc = ctypes.CDLL(None)
n = 0
while libc.inotify_init1(0) >= 0 and n < 5000:
    n += 1
print(n, flush=True)
time.sleep(60)
P
task=$(codexos run -d -- python3 take.py)

wait_until 20 sh -c "codexos logs $task | grep -q ."
python3 -c 'import ctypes,sys; sys.exit(0 if ctypes.CDLL(None).inotify_init1(0) >= 0 else 1)' || fail 'the host got no inotify instance'
expect_ok codexos kill "$task"
step "a fork bomb ends, and the host goes on"
expect_ok codexos run --timeout 120s -- python3 -c '
import os
n = 0
try:
    while n < 40000:
        if os.fork() == 0:
            import time; time.sleep(30); os._exit(0)
        n += 1
except OSError:
    pass
print(n)'
[ "$out" -lt 20000 ] || fail "made $out processes"
step "scratch space is bounded"
expect_ok codexos run -- sh -c 'dd if=/dev/zero of=/tmp/fill bs=1M count=3000 2>/dev/null; stat -c %s /tmp/fill'
[ "$out" -le $((1100 * 1024 * 1024)) ] || fail "filled $out bytes"
