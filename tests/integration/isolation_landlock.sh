#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# --isolation landlock: where there are no user namespaces a task runs all the same, when that is asked for; its
# changes are held back in a copy, orders and limits reach it, and what it cannot have is refused by name.
# needs: git jq python3 gcc
# timeout: 240
# shellcheck source=../lib.sh
. "${TESTS:-$(dirname "$0")/..}/lib.sh"
[ "$(uname -m)" = x86_64 ] || skip 'the fixture knows x86-64 alone'

! is_root || chmod o+x "$SCRATCH"
without() { python3 "$TESTS/integration/fixtures/without_user_namespaces.py" "$@"; }
repo
run_captured codexos run -q --isolation landlock -- true
[ "$code" = 0 ] || { expect_has "$err" 'Landlock has ABI'; skip "$err"; }
codexos daemon stop >/dev/null
without codexos daemon start >/dev/null
alone() { codexos run -q --isolation landlock "$@"; }
real() { find . -mindepth 1 -path ./.git -prune -o -printf '%P %y %m %s %T@\n' | sort; }
before=$(real)

step 'there is no other isolation here, and nothing falls back to this one'
run_captured codexos run -q -- true
expect_eq "$code" 125
expect_has "$err" 'namespace'
run_captured codexos run -q --isolation full -- true
expect_eq "$code" 125

step 'programs run; exit codes, signals, streams'
expect_ok alone -- sh -c 'cat file.txt; echo to-stderr >&2'
expect_eq "$out/$err" one/to-stderr
expect_code 7 alone -- sh -c 'exit 7'
expect_code 137 alone -- sh -c 'kill -KILL $$'
expect_code 143 alone -- sh -c 'kill -TERM $$'
expect_code 127 alone -- no-such-program
expect_code 126 alone -- /etc/passwd
run_captured bash -c "echo piped | codexos run -q --isolation landlock -- cat"
expect_eq "$out" piped
expect_ok codexos run -q --isolation landlock -- sh -c 'seq 100000'
expect_eq "$(printf '%s\n' "$out" | tail -1)" 100000

step 'who it is, and where'
expect_ok alone --name who -- sh -c 'id -u; pwd; echo "$HOME"; echo "$TMPDIR"; touch "$HOME/x" "$TMPDIR/y"; ls -d "$HOME/.gitconfig"; git log --format=%s'
mapfile -t said <<<"$out"
is_root && uid=2000000001 || uid=$(id -u)
folder=$CODEXOS_HOME/tenants/default/tasks/$(field who .id)
expect_eq "${said[*]}" "$uid $folder/layers/0/copy $folder/private/home $folder/private/tmp $folder/private/home/.gitconfig first commit"

step 'the level in force stands in inspect, events, ps --json and the plan'
expect_eq "$(field who .isolation)" landlock
expect_has "$(codexos inspect who)" 'isolation   landlock, seccomp default, network none'
expect_has "$(field who '.notes | join(" ")')" 'isolation landlock: no namespaces'
expect_eq "$(codexos --json events who | jq -r 'select(.type == "task.created") | .isolation')" landlock
expect_eq "$(codexos --json run --isolation landlock --plan-only -- true | jq -r .isolation)" landlock
expect_has "$(codexos run --isolation landlock --plan-only -- true)" 'held back in a copy'
run_captured codexos doctor # says that tasks cannot be isolated
expect_has "$out" '--isolation landlock can be used'

step 'programs that build, change modes and times, and use git'
cat >"$HOME/doings.sh" <<'END'
set -e
printf '#include <stdio.h>\nint main(void) { puts("built"); return 0; }\n' >p.c
gcc -o p p.c
./p
printf '#!/bin/sh\necho script\n' >s && chmod 0750 s && ./s
touch -d '2001-02-03 04:05:06' s p.c
tar cf t.tar s p.c && mkdir x && tar xpf t.tar -C x
cp -a x y && rm -r x && mv y z
python3 -c 'import tempfile, os, subprocess; f = tempfile.NamedTemporaryFile(); os.fchmod(f.fileno(), 0o600); print(subprocess.run(["echo", "sub"], capture_output=True, text=True).stdout.strip())'
git add -A && git commit -qm inside
END
expect_ok alone -- sh -c "$(cat "$HOME/doings.sh")"
expect_eq "$(echo "$out" | xargs)" 'built script sub'
expect_eq "$(real)" "$before" 'the real folder before the apply'
expect_ok codexos apply --allow-protected
expect_eq "$(./p) $(./z/s)" 'built script'
expect_eq "$(stat -c '%a %u %Y' z/s)" "750 $(id -u) $(date -d '2001-02-03 04:05:06' +%s)"
expect_eq "$(git log -1 --format=%s)" inside
expect_ok codexos undo
expect_eq "$(real)" "$before" 'after undo'

step 'diff, discard, -c, a change of the user'
expect_ok alone -- sh -c 'echo more >>file.txt; rm sub/deep.txt; echo new >fresh'
expect_eq "$(codexos diff --name-status | xargs)" 'M file.txt A fresh D sub/deep.txt'
expect_ok alone -c -- sh -c 'cat file.txt fresh; ls sub; echo again >>fresh'
expect_eq "$(echo "$out" | xargs)" 'one more new'
expect_ok codexos discard -- sub/deep.txt
expect_ok codexos apply
expect_eq "$(xargs <fresh)/$(xargs <file.txt)/$(cat sub/deep.txt)" 'new again/one more/two'
git checkout -q . && rm fresh

step 'exec, logs, attach, pause, stop'
expect_ok codexos run -q -d --isolation landlock --name long -- sh -c 'echo begun; i=0; while :; do i=$((i+1)); echo $i >count; sleep 0.05; done'
wait_until 10 state_is long running
expect_ok codexos exec long -- sh -c 'pwd; cat "$0"; test -s count' file.txt
expect_eq "$(echo "$out" | xargs)" "$CODEXOS_HOME/tenants/default/tasks/$(field long .id)/layers/0/copy one"
expect_code 3 codexos exec long -- sh -c 'exit 3'
expect_eq "$(codexos logs long)" begun
count=$CODEXOS_HOME/tenants/default/tasks/$(field long .id)/layers/0/copy/count
wait_until 10 test -s "$count"
expect_ok codexos pause long
one=$(cat "$count")
sleep 0.3
expect_eq "$(cat "$count")" "$one" 'a paused task'
expect_ok codexos resume long
wait_until 10 eval '[ "$(cat "$count")" != "$one" ]'
expect_ok codexos --json stats long
expect_ne "$(echo "$out" | jq -r '(.tasks // [.])[0].pids')" 0
expect_ok codexos stop long
expect_eq "$(field long .cause)" stopped

step 'limits: time, processes, disk; a daemon that is killed is no end'
expect_code 124 alone --timeout 1s -- sh -c 'setsid sleep 1002$$ & sleep 1002$$'
no_processes_with "1002" || fail 'a process outlived the limit'
expect_code 0 alone --pids 60 -- sh -c 'for i in 1 2 3 4 5; do sleep 0.1 & done; wait'
run_captured alone --disk 20MiB -- sh -c 'dd if=/dev/zero of="$TMPDIR/big" bs=1M count=200 2>/dev/null; sleep 5'
expect_ne "$code" 0 'the disk limit'
expect_ok codexos run -q -d --isolation landlock --name kept -- sh -c 'sleep 2; echo over; exit 5'
wait_until 10 state_is kept running
daemon=$(daemon_pid)
kill -KILL "$daemon"
wait_until 10 dead "$daemon"
expect_code 5 codexos wait kept
expect_eq "$(codexos logs kept)" over
expect_eq "$(field kept .isolation)" landlock
codexos daemon stop >/dev/null

step 'with namespaces there, and on a terminal'
expect_ok pty --expect inside --send 'exit 4\n' -- codexos run -q --isolation landlock -- sh -c 'tty; echo inside; read -r line; echo "said $line"'
expect_has "$out" 'said exit 4'
expect_ok pty -- codexos run -q --isolation landlock -- sh -c 'test -t 0 && test -t 1 && stty size'

step 'what it cannot have is refused by name'
refused() {
  local text=$1
  shift
  expect_error 125 "--isolation landlock: $text" codexos run --isolation landlock "$@" -- true
}
refused --net --allow example.org
refused --publish --publish 8080
refused --reach --reach 5432
refused '--seccomp nested' --seccomp nested
refused --learn --learn
refused --write --write file.txt
mkdir -p "$HOME/shown/in" && echo shown >"$HOME/shown/in/f" && mkdir -p "$HOME/.ssh" && echo k >"$HOME/.ssh/k"
refused '--show' --show "$HOME/shown:/mnt/elsewhere"
git worktree add -q "$HOME/tree"
(cd "$HOME/tree" && refused "$HOME/repo/.git")
printf 'hide: [file.txt]\n' >.codexos.yaml
expect_error 125 "$PWD/file.txt: it is hidden" codexos run --isolation landlock --mode "$(is_root && echo overlay || echo direct)" --show "$PWD" -- true
rm .codexos.yaml

step 'what is shown is shown where it is'
! is_root || chmod o+x "$HOME"
expect_ok alone --show "$HOME/shown" -- cat "$HOME/shown/in/f"
expect_eq "$out" shown
expect_code 2 alone --show "$HOME/shown" -- sh -c "echo x >'$HOME/shown/in/g'"
expect_no_file "$HOME/shown/in/g"
if is_root; then
  refused --mode --mode direct
  refused --mode --mode read-only
else
  expect_ok alone --show "$HOME/shown:rw" -- sh -c "echo x >'$HOME/shown/in/g'; chmod 600 '$HOME/shown/in/g'"
  expect_eq "$(stat -c %a "$HOME/shown/in/g")" 600
  expect_ok alone --mode direct -- sh -c 'echo direct >written; pwd'
  expect_eq "$(cat written)/$out" "direct/$PWD"
  expect_code 2 alone --mode read-only -- sh -c 'cat file.txt; echo x >never'
  expect_eq "$out" one
  expect_no_file never
fi
expect_ok alone --mode none -- pwd
expect_has "$out" /private/home

step 'a policy that accepts no less than full refuses it; one that asks for it gets it'
mkdir -p "$HOME/.config/codexos"
printf 'isolation: landlock\n' >"$HOME/.config/codexos/config.yaml"
expect_ok codexos run -q --name asked -- true
expect_eq "$(field asked .isolation)" landlock
expect_ok codexos run -q --name option --isolation full -- true
expect_eq "$(field option .isolation)" full
printf 'isolation: full\n' >"$TMPDIR/strict.yaml"
run_captured codexos run --isolation landlock --policy "$TMPDIR/strict.yaml" -- true
expect_eq "$code" 125
expect_has "$err" landlock
rm "$HOME/.config/codexos/config.yaml"
printf 'isolation: landlock\n' >.codexos.yaml
expect_ok codexos run -q --name project -- true
expect_eq "$(field project .isolation)" full 'a project file can only narrow'
rm .codexos.yaml

step 'nothing is left'
wait_until 10 eval '! ls -d "$CODEXOS_HOME"/tenants/default/tasks/*/private'
