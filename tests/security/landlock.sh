#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A task without namespaces (--isolation landlock) stays in its copy: it neither reads nor changes what is outside,
# reaches no other process and no socket, gets no terminal and no descriptor of others, and leaves nothing behind.
# The same attacks get what they want where nothing stands against them.
# needs: python3 jq
# timeout: 240
# shellcheck source=../lib.sh
. "${TESTS:-$(dirname "$0")/..}/lib.sh"
[ "$(uname -m)" = x86_64 ] || skip 'the attacks know the numbers of x86-64'

umask 022
task_uid=$(id -u)
as_task=()
if is_root; then # a task of root has a user of its own: the victims are that one's
  chmod o+x "$SCRATCH" "$HOME"
  task_uid=2000000001
  as_task=(setpriv --reuid "$task_uid" --regid "$task_uid" --clear-groups)
fi
work
expect_ok codexos run -q -- true
run_captured codexos run -q --isolation landlock -- true
[ "$code" = 0 ] || { expect_has "$err" 'Landlock has ABI'; skip "$err"; }
cp "$TESTS/security/landlock_attacks.py" .

# Everything that is attacked belongs to the task's own user: only the walls stand between.
make_victims() {
  if [ -n "${VICTIM:-}" ]; then
    kill -KILL "$VICTIM"
    wait "$VICTIM" 2>/dev/null || true
  fi
  rm -rf "$SCRATCH/outside" "$SCRATCH/sockets" "$HOME/shown"
  mkdir -p "$SCRATCH/outside/.ssh" "$SCRATCH/sockets" "$HOME/shown"
  echo secret >"$SCRATCH/outside/.ssh/id_ed25519"
  echo old | tee "$SCRATCH/outside/old" "$SCRATCH/outside/victim" "$HOME/shown/tool" >/dev/null
  chmod 0600 "$SCRATCH/outside/.ssh/id_ed25519"
  ! is_root || chown -R "$task_uid:$task_uid" "$SCRATCH/outside" "$SCRATCH/sockets" "$HOME/shown"
  (cd "$SCRATCH/sockets" && exec "${as_task[@]}" python3 - <<'P'
import os, select, socket
s, d = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("stream"); d.bind("datagram"); s.listen(8)
open("ready", "w").close()
while True:
    for x in select.select([s, d], [], [])[0]:
        if x is d: d.recv(100)
        else: s.accept()[0].close()
        open("hits", "a").write("hit\n")
P
  ) &
  started+=($!)
  SECRET=of-the-victim "${as_task[@]}" sleep 100000 &
  VICTIM=$!
  started+=("$VICTIM")
  wait_until 10 test -e "$SCRATCH/sockets/ready"
  wait_until 10 grep -q sleep "/proc/$VICTIM/comm"
  export OUTSIDE=$SCRATCH/outside SHOWN=$HOME/shown SOCKETS=$SCRATCH/sockets VICTIM
}
state_of_victims() {
  find "$OUTSIDE" "$SHOWN" -printf '%p %y %m %U %G %s %T@ %n\n' | sort
  cat "$OUTSIDE/old" "$SHOWN/tool"
  ps -o stat=,ni=,cls=,psr= -p "$VICTIM" | awk '{ print substr($1, 1, 1), $2, $3 }'
  cat "/proc/$VICTIM/oom_score_adj"
  taskset -p "$VICTIM"
  cat "$SOCKETS/hits" 2>/dev/null || true
}
in_task() {
  run_captured codexos run -q --isolation landlock -e OUTSIDE -e SHOWN -e SOCKETS -e VICTIM --show "$SHOWN" \
    -- python3 -B landlock_attacks.py "$@"
  expect_hasnt "$out" GOT "$1"
  expect_match "$out" 'tried [1-9]' "$1: $err"
}

step 'the attacks find their way where nothing stands against them'
make_victims
bare() { (cd "$TMPDIR/bare" && "${as_task[@]}" python3 -B landlock_attacks.py "$@" 2>&1) || true; }
mkdir -m 0777 "$TMPDIR/bare" && chmod 0755 "$TMPDIR" && cp landlock_attacks.py "$TMPDIR/bare/"
! is_root || chown "$task_uid" "$TMPDIR/bare"
for row in 'reading:a key by a link' 'facts:a mode by descriptor' 'facts:times' 'facts:a mode by fchmodat2' \
  'writing:a file moved out' 'processes:a signal to another process' 'processes:its priority: another process' \
  'processes:its variables: another process' 'sockets:the datagram socket by sendmsg, 2' 'sockets:a socket 1 1' \
  'sockets:shared memory' 'terminals:the terminal /dev/ptmx'; do
  make_victims
  expect_has "$(bare "${row%%:*}")" "GOT ${row#*:}"
done
ipcrm -M 4711
rm -f /dev/mqueue/codexos-landlock

make_victims
before=$(state_of_victims)
for attack in reading writing facts processes sockets descriptors terminals; do
  step "$attack"
  in_task "$attack"
  expect_eq "$(state_of_victims)" "$before" "victims after $attack"
  alive "$VICTIM" || fail "$attack ended another process"
done

step 'on a terminal, too'
expect_ok pty -- codexos run -q --isolation landlock -e OUTSIDE -e SHOWN -e SOCKETS -e VICTIM --show "$SHOWN" \
  -- python3 -B landlock_attacks.py terminals
expect_hasnt "$out" GOT

step 'what it leaves behind goes with it'
marker=$RANDOM$RANDOM
expect_ok codexos run -q --isolation landlock -- python3 -B landlock_attacks.py daemons "$marker"
expect_has "$out" 'left behind'
expect_eq "$(processes_with "1000$marker")" 0 'processes after the end of the task'
expect_eq "$(pgrep -f -u "$task_uid" landlock_attacks.py | wc -l)" 0 'forking processes after the end of the task'

step 'also when its shim is killed, and when it is told to end'
for how in shim kill; do
  marker=$RANDOM$RANDOM
  expect_ok codexos run -q -d --isolation landlock --name "left-$how" -- \
    sh -c "python3 -B landlock_attacks.py daemons $marker; exec sleep 1001$marker"
  wait_until 20 eval "codexos logs left-$how | grep -q 'left behind'"
  keeper=$(field "left-$how" .pid)
  if [ "$how" = shim ]; then
    shim=$(ps -o pid= --ppid "$keeper" | tr -d ' ')
    kill -KILL "$shim"
  else
    expect_ok codexos kill "left-$how"
  fi
  wait_until 20 ended "left-$how"
  wait_until 20 dead "$keeper"
  expect_eq "$(processes_with "$marker")" 0 "processes after $how"
done
expect_eq "$(field left-shim .cause)" sandbox_killed

step 'what the task leaves of links leads nobody out of the copy'
expect_ok codexos run -q --isolation landlock -e OUTSIDE -- sh -ec '
  ln -s "$OUTSIDE/.ssh" keys; ln -s "$OUTSIDE/old" old; rm -rf sub; ln -s "$OUTSIDE" sub; echo x >plain'
expect_ok codexos diff
expect_hasnt "$out" secret
run_captured codexos apply --skip-protected
expect_eq "$(state_of_victims)" "$before" 'victims after the apply'

step 'its own folders are gone, what it was held back in is closed'
wait_until 10 eval '! ls -d "$CODEXOS_HOME"/tenants/default/tasks/*/private'
case $(stat -c %a "$CODEXOS_HOME") in
700) ! is_root || fail "a task of root passes without a way" ;;
710) is_root || fail 'the state folder is open to a group' ;;
*) fail "the state folder has mode $(stat -c %a "$CODEXOS_HOME")" ;;
esac
