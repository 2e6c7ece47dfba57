#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The session keyring of whoever starts the daemon is not the task's, and keyctl is refused.
# needs: python3
# shellcheck source=../lib.sh
. "${TESTS:-$(dirname "$0")/..}/lib.sh"

work keys
cat >ring.py <<'P'
import ctypes, sys
libc = ctypes.CDLL(None, use_errno=True)
KEYCTL_SEARCH, SESSION = 10, -3
if sys.argv[1] == "add":
    assert libc.syscall(248, b"user", b"codexos-canary", b"topsecret", 9, SESSION) > 0
    import os
    os.execvp(sys.argv[2], sys.argv[2:])
key = libc.syscall(250, KEYCTL_SEARCH, SESSION, b"user", b"codexos-canary", 0)
print("found" if key > 0 else "not found")
P
step "outside the key is found by the child of who added it, so the test can fail"
expect_ok python3 ring.py add python3 ring.py look
expect_eq "$out" found
step "inside it is not"
expect_ok python3 ring.py add codexos run -- python3 ring.py look
expect_eq "$out" 'not found'
expect_ok codexos run --seccomp nested -- python3 ring.py look
expect_eq "$out" 'not found'
