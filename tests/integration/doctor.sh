#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# doctor: a machine that is good, and one that is broken for real, piece by piece.
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

# verdict NAME, cause NAME, fix NAME: of the last report in $out.
verdict() { json ".checks[] | select(.name == \"$1\") | .verdict" <<<"$out"; }
cause() { json ".checks[] | select(.name == \"$1\") | .cause" <<<"$out"; }
fix() { json ".checks[] | select(.name == \"$1\") | .fix[]" <<<"$out"; }
doctor() { codexos --json doctor "$@"; }

work
step 'a machine on which tasks run has no problem; it starts the daemon as any command does'
expect_ok doctor
expect_eq "$(json .problems <<<"$out")" 0
expect_eq "$(verdict user-namespaces) $(verdict proc) $(verdict seccomp)" 'ok ok ok'
expect_eq "$(verdict daemon)" ok
[ "$(json '.checks | length' <<<"$out")" -le 20 ] || fail 'more than twenty checks'
expect_eq "$(json '[.checks[] | select(.verdict == "warning" or .verdict == "problem") | select(.cause == "" or .fix == [])] | length' <<<"$out")" 0
machine=$(jq -c '{checks: [.checks[] | {name, verdict}]}' <<<"$out")
if is_root; then expect_ne "$(verdict id-maps)" 'not applicable'; else expect_eq "$(verdict id-maps)" 'not applicable'; fi
expect_eq "$(verdict overlay)" ok
step 'nothing of a probe is left'
expect_eq "$(find "$CODEXOS_HOME" -maxdepth 1 -name 'probe-*')" ''
step 'in words: a line a check, aligned, no colours without a terminal'
expect_ok codexos doctor
expect_match "$out" $'(^|\n)ok +user-namespaces +[a-z]'
expect_match "$out" $'\n[0-9]+ checks: 0 problems, [0-9]+ warnings?$'
expect_hasnt "$out" $'\e'
expect_ok codexos --color always doctor
expect_has "$out" $'\e[32mok'
expect_ok codexos -q doctor
expect_eq "$out" ''
if [ "$(uname -r | awk -F. '{ print $1 * 1000 + $2 }')" -ge 6011 ]; then
  step 'the API answers the same, but for what only the caller knows'
  expect_eq "$(api http://x/v1/doctor | jq -c '[.checks[].name]')" \
    "$(jq -c '[.checks[].name | select(. != "daemon" and . != "agents" and . != "git")]' <<<"$machine")"
fi

step 'others can look into the state folder: a problem, that --fix puts right'
chmod 755 "$CODEXOS_HOME"
expect_code 6 doctor
expect_eq "$(verdict state-folder)" problem
expect_eq "$(fix state-folder)" "chmod 700 $CODEXOS_HOME"
expect_eq "$(stat -c %a "$CODEXOS_HOME")" 755 'without --fix nothing is changed'
expect_code 6 codexos doctor
expect_match "$out" $'\nproblem +state-folder +.*mode 0755\n +why: .*\n +fix: chmod 700 '
expect_code 6 codexos -q doctor
expect_eq "$out" state-folder
expect_ok doctor --fix
expect_eq "$(stat -c %a "$CODEXOS_HOME")" 700
expect_eq "$(json '.fixed[0]' <<<"$out")" "chmod 700 $CODEXOS_HOME"
expect_has "$err" 'fixed: chmod 700'
expect_ok doctor --fix
expect_eq "$(json '.fixed | length' <<<"$out")" 0

step 'a state folder that we cannot write to: no daemon can begin in it, --fix helps all the same'
expect_ok codexos daemon stop
chmod 500 "$CODEXOS_HOME"
expect_code 6 doctor
expect_has "$(cause state-folder)" 'we cannot work in it'
is_root || expect_has "$(cause daemon)" 'Permission denied'
expect_ok doctor --fix
expect_eq "$(verdict daemon)" ok

step 'a daemon that is stopped'
pid=$(daemon_pid)
kill -STOP "$pid"
expect_code 6 doctor
expect_eq "$(verdict daemon)" problem
expect_has "$(fix daemon)" "kill -CONT $pid"
expect_eq "$(verdict user-namespaces)" ok 'checked without the daemon'
kill -CONT "$pid"
expect_ok doctor
expect_ok codexos daemon stop

step 'no daemon, and none may be started: its program checks, and says the same'
export CODEXOS_NO_AUTOSTART=1
expect_ok doctor
expect_eq "$(verdict daemon)" warning
expect_eq "$(fix daemon)" 'codexos daemon start'
expect_eq "$(verdict helpers)" 'not applicable'
readonly same='[.checks[] | select(.name != "helpers" and .name != "daemon" and .name != "agents") | {name, verdict}]'
expect_eq "$(jq -c "$same" <<<"$out")" "$(jq -c "$same" <<<"$machine")"
expect_eq "$(daemon_pid)" ''
step 'something else has the name of the socket'
printf x >"$CODEXOS_HOME/codexosd.sock"
expect_code 6 doctor
expect_eq "$(verdict socket)" problem
expect_ok doctor --fix
expect_eq "$(cat "$CODEXOS_HOME/codexosd.sock.old")" x
unset CODEXOS_NO_AUTOSTART
expect_ok codexos daemon start
expect_ok codexos daemon stop

step 'a socket that a killed daemon left is no problem'
expect_ok codexos daemon start
kill -KILL "$(daemon_pid)"
CODEXOS_NO_AUTOSTART=1 expect_ok doctor
expect_match "$(json '.checks[] | select(.name == "socket") | .found' <<<"$out")" 'left by a daemon'

step 'no state folder yet: it is not made by looking'
CODEXOS_HOME=$TMPDIR/none/state CODEXOS_NO_AUTOSTART=1 expect_ok doctor
expect_eq "$(verdict state-folder)" ok
expect_eq "$(verdict overlay)" 'not applicable'
expect_no_file "$TMPDIR/none"

step 'a path that is too long for a socket'
long=$TMPDIR/$(printf 'x%.0s' {1..100})
CODEXOS_HOME=$long expect_ok doctor
expect_eq "$(verdict socket)" warning
expect_eq "$(verdict daemon)" ok
CODEXOS_HOME=$long expect_ok codexos daemon stop

step 'a daemon of another build'
mkdir "$TMPDIR/other"
# The build id as it stands in the program, one letter changed.
build=$(codexos --json version | json .build_id)
other=$(tr '0-9a-f' '1-9a-f0' <<<"${build:0:1}")${build:1}
LC_ALL=C sed "s/$build/$other/g" "$(command -v codexosd)" >"$TMPDIR/other/codexosd"
for file in codexos codexos-exec; do ln -s "$(dirname "$(command -v codexosd)")/$file" "$TMPDIR/other/"; done
chmod 755 "$TMPDIR/other/codexosd"
CODEXOS_DAEMON=$TMPDIR/other/codexosd expect_ok doctor
expect_eq "$(verdict daemon)" warning
expect_has "$(cause daemon)" "$build"
expect_has "$(fix daemon)" 'codexos daemon stop'
expect_ok codexos daemon stop

step 'a daemon program that cannot run'
printf '#!/bin/sh\necho "libfrob.so.1: cannot open shared object file" >&2\nexit 127\n' >"$TMPDIR/broken"
chmod 755 "$TMPDIR/broken"
CODEXOS_DAEMON=$TMPDIR/broken expect_code 6 doctor
expect_has "$(cause daemon)" 'libfrob.so.1'
expect_eq "$(verdict git)" ok

step 'no git on PATH'
mkdir "$TMPDIR/bin"
ln -s "$CODEXOS_BIN"/* "$TMPDIR/bin/"
expect_ok env PATH="$TMPDIR/bin" "$CODEXOS_BIN/codexos" --json doctor
expect_eq "$(verdict git)" warning
expect_ok codexos daemon stop

step 'codexos-exec is missing'
mkdir "$TMPDIR/alone"
cp "$CODEXOS_BIN/codexosd" "$TMPDIR/alone/"
CODEXOS_DAEMON=$TMPDIR/alone/codexosd expect_code 6 doctor
expect_has "$(cause user-namespaces)" 'codexos-exec is neither in'

# Each with a daemon of its own: one answers only callers of its own user namespace.
in_user_namespace() { unshare -Ur sh -c "$1; code=\$?; codexos daemon stop; exit \$code"; }
if unshare -Ur true 2>/dev/null; then
  step 'nobody may make user namespaces: the switch is named, for real'
  expect_code 6 in_user_namespace 'echo 0 >/proc/sys/user/max_user_namespaces && codexos --json doctor'
  expect_eq "$(verdict user-namespaces)" problem
  expect_has "$(cause user-namespaces)" 'user.max_user_namespaces is 0'
  expect_has "$(fix user-namespaces)" 'user.max_user_namespaces=15000'
  expect_eq "$(verdict overlay)" 'not applicable'
  step 'a task is refused there, and the hint leads here'
  expect_code 125 in_user_namespace 'echo 0 >/proc/sys/user/max_user_namespaces && codexos run -- true'
  expect_has "$err" 'hint: codexos doctor'
  step 'root of a user namespace in which the user that tasks run as does not exist'
  expect_code 6 in_user_namespace 'codexos --json doctor'
  expect_has "$(cause user-namespaces)" 'root of a user namespace only'
fi

is_root || exit 0
step 'a disk that is full'
mkdir "$TMPDIR/disk"
cat >"$TMPDIR/full.sh" <<'END'
mount -t tmpfs -o size=64k,mode=700 tmpfs "$1"
dd if=/dev/zero of="$1/filler" bs=4k 2>/dev/null
CODEXOS_HOME=$1/state codexos --json doctor
END
expect_code 6 unshare -m sh "$TMPDIR/full.sh" "$TMPDIR/disk"
expect_eq "$(verdict space)" problem
expect_eq "$(verdict file-system)" warning
expect_eq "$(verdict daemon)" problem
expect_match "$(cause daemon)" 'disk is full|No space left'
step 'a state folder that is mounted read-only'
cat >"$TMPDIR/read_only.sh" <<'END'
mount --bind "$1" "$1" && mount -o remount,bind,ro "$1"
codexos --json doctor
END
expect_code 6 unshare -m sh "$TMPDIR/read_only.sh" "$CODEXOS_HOME"
expect_eq "$(verdict state-folder)" problem
expect_has "$(cause state-folder)" 'read-only'
step 'somebody else'\''s state folder'
mkdir "$TMPDIR/theirs" && chown 12345 "$TMPDIR/theirs" && chmod 755 "$TMPDIR/theirs"
CODEXOS_HOME=$TMPDIR/theirs expect_code 6 doctor --fix
expect_has "$(json '.checks[] | select(.name == "state-folder") | .found' <<<"$out")" 'belongs to uid 12345'
expect_eq "$(stat -c %a "$TMPDIR/theirs")" 755 '--fix leaves it alone'
step 'an overlay below the state folder: no other can lie on it'
cat >"$TMPDIR/overlay.sh" <<'END'
mkdir "$1/l" "$1/u" "$1/w" "$1/state" && mount -t overlay overlay -o "lowerdir=$1/l,upperdir=$1/u,workdir=$1/w" "$1/state"
CODEXOS_HOME=$1/state CODEXOS_NO_AUTOSTART=1 codexos --json doctor
END
mkdir "$TMPDIR/stack"
expect_code 6 unshare -m sh "$TMPDIR/overlay.sh" "$TMPDIR/stack"
expect_eq "$(verdict file-system)" warning
expect_eq "$(verdict id-maps)" problem
