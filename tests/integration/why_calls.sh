#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What the filter refuses and an option would allow is told: as an event, after a failure, by `why`, and
# in the policy that is suggested. What has no option stays silent.
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
repo

step 'a namespace of its own'
expect_code 1 codexos run -- unshare -U true
expect_has "$err" 'unshare CLONE_NEWUSER was refused: unshare: a user namespace gives capabilities over kernel code · --seccomp nested'
expect_ok codexos why
expect_has "$out" 'call: unshare CLONE_NEWUSER was refused'
expect_has "$out" 'option  --seccomp nested'
expect_has "$out" 'policy  seccomp: nested'
expect_eq "$(codexos --json why | json '.reasons[0]|[.what,.target,.times]|map(tostring)|join(" ")')" 'call unshare CLONE_NEWUSER 1'
expect_eq "$(codexos --json events "$(codexos ps -aq | head -1)" | json 'select(.type=="denied")|[.what,.target,.hint]|join("|")')" \
  'call|unshare CLONE_NEWUSER|--seccomp nested'

step 'the option does allow it, and so does the policy'
expect_ok codexos run --seccomp nested -- unshare -U true
expect_code 1 codexos run -- unshare -U true
codexos policy suggest >"$TMPDIR/p.yaml" 2>/dev/null
expect_has "$(cat "$TMPDIR/p.yaml")" 'seccomp: nested'
expect_ok codexos run --policy "$TMPDIR/p.yaml" -- unshare -U true

step 'mounts, with EPERM; where there is no overlay, a listener is left to the programs, and nothing told'
cat >"$TMPDIR/mount.py" <<'PY'
import ctypes, errno, sys
libc = ctypes.CDLL(None, use_errno=True)
seen = [errno.errorcode[ctypes.get_errno()] for _ in range(int(sys.argv[1]))
        if libc.mount(b"none", b"/tmp", b"tmpfs", 0, None) < 0]
print(len(seen), *sorted(set(seen)))
sys.exit(3)
PY
expect_code 3 codexos run --show "$TMPDIR/mount.py" -- python3 "$TMPDIR/mount.py" 1
expect_eq "$out" '1 EPERM'
expect_has "$err" 'mount was refused: python3'
for how in direct read-only; do
  expect_code 3 codexos run --mode "$how" --show "$TMPDIR/mount.py" -- python3 "$TMPDIR/mount.py" 1
  expect_eq "$out" '1 EPERM' "$how"
  expect_hasnt "$err" 'was refused' "$how"
done

step 'who asks ten thousand times is answered each time, and told of a few times'
expect_code 3 codexos run --show "$TMPDIR/mount.py" -- python3 "$TMPDIR/mount.py" 10000
expect_eq "$out" '10000 EPERM'
times=$(codexos --json why | json '.reasons[]|select(.what=="call")|.times')
if [ "$times" -lt 16 ] || [ "$times" -gt 60 ]; then fail "told $times times"; fi

step 'what no option allows is refused, and not told'
expect_code 1 codexos run -- python3 -c 'import socket; socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)'
expect_has "$err" 'not supported'
expect_hasnt "$err" 'was refused'

step 'in a session of exec, too'
id=$(codexos run -d -- sleep 60)
expect_code 1 codexos exec "$id" -- unshare -m true
sleep 0.1
expect_has "$(codexos why "$id")" 'unshare CLONE_NEWNS was refused'
codexos kill "$id" >/dev/null
