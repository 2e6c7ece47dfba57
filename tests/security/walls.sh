#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A program inside a task tries every wall that can be tried from inside (probes/walls.cc has the
# sentences), in both syscall profiles, in an overlay workspace and without one.
# timeout: 180
# shellcheck source=../lib.sh
. "${TESTS:-$(dirname "$0")/..}/lib.sh"

probe=$CODEXOS_BIN/probe-walls
# The host listens on an abstract socket which no task may reach.
python3 -c 'import socket,time
s = socket.socket(socket.AF_UNIX); s.bind("\0codexos-probe"); s.listen(1); time.sleep(300)' &
started+=($!)
mkdir -p "$HOME/.ssh" "$HOME/.aws" "$HOME/.config/gh" "$HOME/.docker" "$HOME/.kube"
echo canary | tee "$HOME/.ssh/id_ed25519" "$HOME/.aws/credentials" "$HOME/.netrc" "$HOME/.bash_history" >/dev/null
repo walls
cp "$probe" ./probe

for profile in default nested; do
  step "the walls of $profile hold in an overlay workspace"
  expect_ok codexos run --seccomp "$profile" -- ./probe "$profile"
  expect_hasnt "$out" 'not ok'
  expect_has "$out" 'ok - ordinary things keep working'
done
step "the walls hold with the workspace written through, read-only, and without one"
expect_ok codexos run --mode direct -- ./probe default
expect_ok codexos run --mode read-only -- ./probe default
expect_ok codexos run --mode none --show "$PWD/probe:/srv/probe" -- /srv/probe default
step "the walls hold in an exec session"
task=$(codexos run -d -- sleep 100)
wait_until 10 state_is "$task" running
expect_ok codexos exec "$task" -- ./probe default
expect_ok codexos kill "$task"
