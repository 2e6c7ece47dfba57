#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The process that renames folders for a task has the task's rights and no others, and cannot be turned
# against it (probes/seams.cc has the sentences).
# timeout: 240
# shellcheck source=../lib.sh
. "${TESTS:-$(dirname "$0")/..}/lib.sh"

repo seams
cp "$CODEXOS_BIN/probe-seams" ./probe
mkdir -p lower old-lower full/x here/sub race1/in race2 plain
touch file race1/one race2/two plain/x old-lower/x

step "an attacker in a task"
expect_ok codexos run -q -- ./probe attack
expect_hasnt "$out" 'not ok'
expect_has "$out" 'ok - nothing could be misused'
step "and in an exec session"
id=$(codexos run -d -- sleep 200)
wait_until 10 state_is "$id" running
expect_ok codexos exec "$id" -- ./probe attack
codexos kill "$id" >/dev/null

step "a listener of its own is refused, but not to those who bring their own sandbox"
expect_ok codexos run -q -- ./probe listener 16
expect_ok codexos run -q --seccomp nested -- ./probe listener 0
step "who kills the process that refuses is refused all the same"
cat >kill.py <<'PY'
import ctypes, glob, os, signal, time
libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWUSER = 0x10000000
child = os.fork()
if child == 0:
    while True:
        if libc.mount(b"none", b"/tmp", b"tmpfs", 0, None) == 0 or libc.unshare(CLONE_NEWUSER) == 0:
            os.write(1, b"not ok - allowed\n")
            os._exit(1)
        if ctypes.get_errno() != 1:
            os.write(1, b"not ok - errno %d\n" % ctypes.get_errno())
killed, end = 0, time.monotonic() + 5
while killed < 40 and time.monotonic() < end:
    time.sleep(0.02)
    for comm in glob.glob("/proc/[0-9]*/comm"):
        try:
            if open(comm).read() == "codexos-seams\n":
                os.kill(int(comm.split("/")[2]), signal.SIGKILL)
                killed += 1
        except OSError:
            pass
print("killed", killed)
os.kill(child, signal.SIGKILL)
PY
expect_ok codexos run -q -- python3 kill.py
expect_hasnt "$out" 'not ok'
expect_has "$out" 'killed'
expect_hasnt "$out" 'killed 0'

step "in nested, a user namespace of its own changes nothing"
expect_ok codexos run -q --seccomp nested -- sh -c 'unshare -Urm ./probe rename rename plain plain2; test $? = 18 && mv plain plain3 && test -f plain3/x'
expect_file plain/x
