#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A read-only mount does not stop connect(2): the sockets in a folder that is shown cannot be reached,
# those that are shown themselves can.
# needs: python3
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

work
mkdir -p "$HOME/shown/deep"
chmod 755 "$HOME"
for name in top.sock deep/below.sock asked.sock; do
  python3 -c '
import os, socket, sys
s = socket.socket(socket.AF_UNIX)
os.chdir(os.path.dirname(sys.argv[1]))
s.bind(os.path.basename(sys.argv[1]))
os.chmod(os.path.basename(sys.argv[1]), 0o777)
s.listen()
while True:
    c, _ = s.accept()
    c.send(b"hello")
    c.close()' "$HOME/shown/$name" &
  started+=($!)
  wait_until 10 test -S "$HOME/shown/$name"
done
cat >try.py <<'EOF'
import os, socket, sys
for path in sys.argv[1:]:
    s = socket.socket(socket.AF_UNIX)
    try:
        os.chdir(os.path.dirname(path))
        s.connect(os.path.basename(path))
        print(s.recv(5).decode())
    except OSError as e:
        print("refused")
EOF
try() { python3 try.py "$HOME/shown/top.sock" "$HOME/shown/deep/below.sock" "$HOME/shown/asked.sock"; }
step 'outside they answer, so the test can fail'
expect_eq "$(try | xargs)" 'hello hello hello'
for access in ro rw; do
  step "shown $access"
  expect_ok codexos run --show "$HOME/shown:$access" --show "$HOME/shown/asked.sock:/srv/asked.sock:rw" -- \
    python3 "$PWD/try.py" "$HOME/shown/top.sock" "$HOME/shown/deep/below.sock" /srv/asked.sock
  expect_eq "$(xargs <<<"$out")" 'refused refused hello'
done
step 'a plan says what is hidden, a folder with too many says that too'
expect_ok codexos --json run --plan-only --show "$HOME/shown" -- true
expect_eq "$(jq -r '[.mounts[]|select(.role=="shown" and .kind=="hide").target|split("/")[-1]]|sort|join(" ")' <<<"$out")" 'asked.sock below.sock top.sock'
mkdir "$HOME/many"
python3 -c 'import socket, os
os.chdir(os.environ["HOME"] + "/many")
for n in range(80): socket.socket(socket.AF_UNIX).bind("s%d" % n)'
expect_ok codexos run --name many --show "$HOME/many" -- true
expect_match "$(field many '.notes|join(" ")')" 'too much lies in it'
