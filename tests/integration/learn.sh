#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# --learn tells what a task's programs look for in vain, paths and names, whoever starts them, and policy
# suggest writes the policy that gives it: a second run under it finds everything.
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

mkdir -p ~/data/sub ~/tools
echo one >~/data/one && echo two >~/data/sub/two && echo rc >~/.toolrc
printf '#!/bin/sh\ncat ~/.toolrc\n' >~/tools/mytool && chmod +x ~/tools/mytool
repo
cat >job.py <<'PY'
import os, subprocess, sys
home = os.path.expanduser("~")
def look(path):
    try:
        return open(path).read().strip()
    except OSError as e:
        return e.__class__.__name__
os.chdir("/")
print(look(home + "/data/one"), look("." + home + "/data/sub/two"), look(home + "/nowhere"))
print(subprocess.run(["sh", "-c", home + "/tools/mytool || true"], capture_output=True, text=True).stdout.strip())
PY
step 'without it nothing is told: the job succeeds'
expect_ok codexos run -- python3 job.py
expect_eq "$err" ''

step 'with it, each path once, though the program went on'
expect_ok codexos run --learn -- python3 job.py
expect_has "$out" 'FileNotFoundError FileNotFoundError FileNotFoundError'
expect_has "$err" "$HOME/data/one is there, but not shown to the task · --show $HOME/data/one"
expect_ok codexos why
for path in "$HOME/data/one" "$HOME/data/sub/two" "$HOME/tools/mytool"; do
  expect_has "$out" "path: $path is there, but not shown to the task"
done
expect_hasnt "$out" nowhere
expect_hasnt "$out" '(2 times)'

step 'what is suggested is what it takes, in as many turns as the job needs'
for turn in 1 2; do
  codexos policy suggest >"$TMPDIR/p.yaml" 2>/dev/null
  expect_ok codexos policy check "$TMPDIR/p.yaml"
  expect_ok codexos run --learn --policy "$TMPDIR/p.yaml" -- python3 job.py
done
expect_eq "$out" $'one two FileNotFoundError\nrc' "turn $turn"

step 'every call that names a path gets the answer that it gets without it'
cat >calls.py <<'PY'
import ctypes, errno, platform, sys
libc = ctypes.CDLL(None, use_errno=True)
AT, gone, buf = -100, b"/no/such/thing", ctypes.create_string_buffer(512)
calls = {  # x86-64: number and arguments
    "open": (2, gone, 0), "stat": (4, gone, buf), "lstat": (6, gone, buf), "access": (21, gone, 0), "execve": (59, gone, 0, 0),
    "chdir": (80, gone), "creat": (85, gone, 0o600), "readlink": (89, gone, buf, 512), "openat": (257, AT, gone, 0),
    "newfstatat": (262, AT, gone, buf, 0), "readlinkat": (267, AT, gone, buf, 512), "faccessat": (269, AT, gone, 0),
    "execveat": (322, AT, gone, 0, 0, 0), "statx": (332, AT, gone, 0, 0x7ff, buf), "faccessat2": (439, AT, gone, 0, 0),
}
for name, (number, *rest) in calls.items() if platform.machine() == "x86_64" else ():
    done = libc.syscall(number, *rest)
    print(name, done, errno.errorcode.get(ctypes.get_errno()))
PY
expect_ok codexos run -- python3 calls.py
expect_hasnt "$out" EPERM
plain=$out
expect_ok codexos run --learn -- python3 calls.py
expect_eq "$out" "$plain"

step 'names, without a network being given'
expect_code 3 codexos run --learn -- python3 -c 'import socket, sys
try: socket.create_connection(("registry.example.org", 443), 3)
except OSError: sys.exit(3)'
expect_ok codexos why
expect_has "$out" 'registry.example.org'
expect_has "$out" '--allow registry.example.org'

step 'what cannot be learnt is said'
expect_code 125 codexos run --learn --seccomp nested -- true
expect_has "$err" 'learn needs seccomp default'

step 'a program that is not there, and one without a first line'
expect_code 127 codexos run --learn -- nosuchprogram
printf 'echo plain\n' >plain && chmod +x plain
expect_ok codexos run --learn -- ./plain
expect_eq "$out" plain

step 'a build with many processes'
expect_ok codexos run --learn -- sh -c 'for i in 1 2 3 4 5 6 7 8; do (for j in 1 2 3 4 5; do ls / >/dev/null; done) & done; wait; echo done'
expect_eq "$out" 'done'
