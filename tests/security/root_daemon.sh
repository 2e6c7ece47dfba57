#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Under a root daemon no task has host uid 0; root's own files in the workspace are still its own.
# shellcheck source=../lib.sh
. "${TESTS:-$(dirname "$0")/..}/lib.sh"
is_root || skip 'only for a root daemon'

repo mine
printf 'secret\n' >private && chmod 600 private
step "inside it is uid 1000, outside an unprivileged uid that is neither 0 nor 65534"
expect_eq "$(codexos run -- id -u)" 1000
task=$(codexos run -d -- sleep 100)
wait_until 10 state_is "$task" running
pid=$(field "$task" .pid)
for dir in /proc/[0-9]*; do
  [ "$(sed -n 's/^NSpid:.*\t//p' "$dir/status" 2>/dev/null)" != 1 ] || [ "${dir#/proc/}" != "$pid" ] ||
    { uid=$(awk '/^Uid:/ { print $2 }' "$dir/status"); expect_ne "$uid" 0; expect_ne "$uid" 65534; }
done
expect_ok codexos kill "$task"
step "root's files can be read and edited, and stay root's"
expect_eq "$(codexos run -- cat private)" secret
expect_ok codexos run --mode direct -- sh -c 'echo more >>private; echo new >made'
expect_eq "$(stat -c %u:%g:%a private)" 0:0:600
expect_eq "$(stat -c %u:%g made)" 0:0
step "files of another owner stay closed"
printf 'theirs\n' >theirs && chown 12345:12345 theirs && chmod 600 theirs
expect_code 1 codexos run -- cat theirs
expect_code 1 codexos run --mode direct -- cat theirs
step "a setuid program of the workspace gives nothing, and none can be left behind"
cp /usr/bin/id setuid-id && chmod 4755 setuid-id
expect_eq "$(codexos run -- ./setuid-id -u)" 1000
expect_code 1 codexos run --mode direct -- sh -c 'cp /usr/bin/id left && chmod 4755 left'
[ ! -u left ] || fail 'a setuid file was left'
step "root's secrets outside are closed even by path"
expect_code 1 codexos run -- sh -c 'cat /etc/shadow /root/.bashrc /proc/1/root/etc/shadow'
