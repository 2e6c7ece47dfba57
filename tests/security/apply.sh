#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What a task cannot get out by its changes: no link that leads out, no device, pipe or socket, no set-id
# bits, nothing that a tool outside executes without consent, and nothing beside the workspace, whatever
# folder is exchanged for a link while it is applied.
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

refused() { # NAME WORD SCRIPT: nothing of it is applied, the rest can be had
  local name=$1 word=$2
  shift 2
  expect_ok codexos run --name "$name" -- sh -c "$*; echo plain >plain-$name"
  expect_error 4 'nothing was written' codexos apply "$name"
  expect_has "$err" "$word"
  expect_no_file "plain-$name"
  expect_ok codexos apply "$name" --skip-protected
  expect_file "plain-$name"
}
work
mkdir -p src; printf 'x\n' >src/f; printf 'secret\n' >"$HOME/secret"; sleep 0.1
step 'links that lead out'
refused l1 'leaves the workspace' 'ln -s /etc/passwd l1'
expect_no_file l1
refused l2 'leaves the workspace' 'ln -s ../secret l2'
refused l3 'leaves the workspace' 'ln -s ../../secret src/l3'
refused l4 'leaves the workspace' 'rm -r src; ln -s .. src'
expect_file src/f
[ ! -L src ] || fail 'src became a link'
refused l5 'leaves the workspace' 'ln -s /usr/../etc/passwd l5'
refused l6 'leaves the workspace' 'ln -s /proc/self/cwd l6'
step 'but a link to a program of the system is one, and one that leads out is had by consent'
expect_ok codexos run --name venv -- sh -c 'mkdir -p .venv/bin; ln -s /usr/bin/python3 .venv/bin/python3'
expect_ok codexos apply venv
expect_eq "$(readlink .venv/bin/python3)" /usr/bin/python3
expect_ok codexos run --name out -- ln -s ../secret lout
expect_ok codexos apply out --allow-protected
expect_eq "$(readlink lout)" ../secret
step 'and nothing is ever written through it'
expect_ok codexos run --name through -- sh -c 'rm lout; mkdir lout; echo stolen >lout/f; rm .venv/bin/python3; echo stolen >.venv/bin/python3'
expect_ok codexos apply through
expect_eq "$(cat "$HOME/secret" lout/f)" $'secret\nstolen'
step 'pipes, sockets, devices'
refused p1 'named pipe' 'mkfifo p1'
refused s1 socket 'python3 -c "import socket; socket.socket(socket.AF_UNIX).bind(\"s1\")"'
expect_code 1 codexos run -- mknod dev c 1 3
step 'set-id bits never come along'
expect_ok codexos run --name suid -- sh -c 'cp /bin/true suid; chmod 6755 suid || true; mkdir sgid; chmod 2755 sgid || true; mkdir sticky; chmod 1777 sticky || true'
expect_ok codexos apply suid
expect_eq "$(stat -c %a suid)" "$(stat -c %a suid | grep -o '...$')" 'set-id bits of a file'
expect_match "$(stat -c %a sgid)" '^.?[0-7]{3}$'
expect_eq "$(find . -perm /7000)" '' 'set-id bits'
step 'what tools outside execute or obey'
git init -q "$HOME/repo"; cd "$HOME/repo"; git -c user.name=a -c user.email=a@b commit -q --allow-empty -m x; sleep 0.1
refused hook hooks 'mkdir -p .git/hooks; printf "#!/bin/sh\ntouch /tmp/pwned\n" >.git/hooks/pre-commit; chmod 755 .git/hooks/pre-commit'
expect_no_file .git/hooks/pre-commit
refused config config 'git config core.fsmonitor "touch /tmp/pwned"'
refused bare 'HEAD' 'mkdir -p b/objects b/refs; echo "ref: refs/heads/x" >b/HEAD; printf "[core]\n\tfsmonitor = x\n" >b/config'
refused envrc .envrc 'echo x >.envrc'
refused vscode .VSCode 'mkdir -p deep/.VSCode; echo "{}" >deep/.VSCode/tasks.json'
refused gitfile .git 'mkdir -p sub; echo "gitdir: /tmp/x" >sub/.git'
expect_ok codexos run --name consent -- sh -c 'echo x >.envrc'
expect_ok codexos apply consent --allow-protected
expect_file .envrc
step 'nothing beside the workspace: a folder is exchanged for a link outside meanwhile'
work race
mkdir -p d out; for n in $(seq 40); do printf 'old\n' >d/f"$n"; done
mkdir -p "$HOME/beside"; sleep 0.1
expect_ok codexos run --name race -- sh -c 'for n in $(seq 40); do echo task >d/f$n; echo task >d/new$n; done'
(while [ ! -e "$HOME/stop" ]; do
  mv d d.real 2>/dev/null; ln -s "$HOME/beside" d 2>/dev/null
  rm -f d 2>/dev/null; mv d.real d 2>/dev/null
done) &
started+=($!)
for _ in 1 2 3 4 5 6 7 8; do
  run_captured codexos apply race
  # 4: a folder was away while it was looked at, so that not all of the changes are known
  case $code in 0 | 1 | 4 | 5) ;; *) fail "exit $code: $err" ;; esac
  [ "$code" != 0 ] || codexos undo race --on-conflict ours >/dev/null 2>&1 || true
done
touch "$HOME/stop"; wait "${started[-1]}" 2>/dev/null || true
expect_eq "$(ls -A "$HOME/beside")" '' 'what lies beside the workspace'
step 'what is forged in the layer: whiteouts and opaque marks are the kernel s'
work forged
printf 'keep\n' >keep; mkdir o; printf 'k\n' >o/k; sleep 0.1
expect_ok codexos run --name forge -- sh -c 'setfattr -n user.overlay.opaque -v y o 2>/dev/null; mkdir p; setfattr -n user.overlay.redirect -v /etc p 2>/dev/null; mknod keep2 c 0 0 2>/dev/null; echo x >p/x; true'
expect_ok codexos apply forge
expect_eq "$(cat keep o/k p/x | xargs)" 'keep k x'
expect_hasnt "$(getfattr -d -m - p 2>/dev/null || true)" overlay
