#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A plain `codexos run -- CMD` without a terminal sends its request before the C library is set up
# (cli/early.h): nothing else about it is different.
# needs: strace jq
# timeout: 120
# shellcheck source=../lib.sh
. "${TESTS:-$(dirname "$0")/..}/lib.sh"

case $(nm "$CODEXOS_BIN/codexos" 2>/dev/null) in
*codexos_entry*) ;;
*) skip 'this build has no entry of its own' ;;
esac
repo early
codexos run -- true # the daemon runs
trace=$HOME/trace

# Which way a start went: "whole" (the C library was never set up), "early" (it was while the daemon worked)
# or "late". The client compares what was sent early with what it would have sent, and fails when it differs.
way() { # [input] command...
  local input=/dev/null
  [ "$1" != '<' ] || { input=$2; shift 2; }
  strace -qq -e trace=execve,brk,sendmsg -o "$trace" "$@" <"$input" >"$HOME/out" 2>"$HOME/err" || return
  awk '/^execve/ { brk = sent = 0 } /^brk/ { brk = 1 } /^sendmsg/ && !sent { sent = brk ? 1 : 2 }
    END { print sent == 1 ? "late" : brk ? "early" : "whole" }' "$trace"
}
expect_way() {
  local wanted=$1
  shift
  local got
  got=$(way "$@") || fail "exit $? of: ${*: -3}: $(cat "$HOME/err")"
  expect_eq "$got" "$wanted" "the way of: ${*: -3}"
}
last_argv() { codexos --json inspect "$(codexos -q ps -a | head -1)" | jq -c .argv; }

step 'without input it is done before the C library is needed'
expect_way whole codexos run -- true
expect_way whole codexos run -- printf '%s|' 'a "b" \c' '' "it's"
expect_file "$HOME/out"
expect_eq "$(cat "$HOME/out")" 'a "b" \c||it'\''s|' 'output'
expect_eq "$(last_argv)" '["printf","%s|","a \"b\" \\c","","it'\''s"]' 'argv'

step 'with input, the client carries it'
echo input >"$HOME/in"
expect_way early '<' "$HOME/in" codexos run -- cat
expect_eq "$(cat "$HOME/out")" input 'output'
expect_eq "$(printf 'by pipe' | codexos run -- cat)" 'by pipe' 'a pipe'

step 'every environment gives the same request'
for variables in LC_ALL=C.UTF-8 'LC_TIME=C LC_ALL=POSIX LC_A=1 LC_=2 LANG=de_DE' 'CI=1 NO_COLOR= COLORTERM=truecolor' \
  'TZ=Europe/Berlin LOGNAME=x,y USER=y' 'CODEXOS_OTHER=1 CODEXOS_AGENT=codex'; do
  # shellcheck disable=SC2086
  expect_way early '<' "$HOME/in" env $variables codexos run -- cat
done
expect_way early '<' "$HOME/in" env -i "PATH=$PATH" "HOME=$HOME" "CODEXOS_HOME=$CODEXOS_HOME" codexos run -- cat
expect_way early '<' "$HOME/in" env -i "CODEXOS_HOME=$CODEXOS_HOME" "$CODEXOS_BIN/codexos" run -- /bin/cat
# Names that no shell sets.
python3 - "$HOME/in" <<'P' || fail 'odd names'
import os, subprocess, sys
odd = {b"LC_\\": b"1", b'LC_"': b"1", b"LC_\xff": b"1", b"LC_A": b"=", b"LC_": b"x"}
for name in odd:
    env = {**os.environb, name: odd[name]}
    if subprocess.run(["codexos", "run", "--", "cat"], stdin=open(sys.argv[1]), env=env, stdout=subprocess.DEVNULL).returncode:
        sys.exit(repr(name))
P
(umask 0027 && expect_way early '<' "$HOME/in" codexos run -- sh -c 'cat >/dev/null; umask')
expect_eq "$(cat "$HOME/out")" 0027 'umask'

step 'what it does not know whole is left to the client'
expect_way late env CODEXOS_NET=none codexos run -- true
expect_way late env "XDG_CONFIG_HOME=$HOME/.config" codexos run -- true
expect_way late env "TZ=$(printf 'a\tb')" codexos run -- true
expect_way late codexos run -- echo $'two\nlines'
expect_eq "$(cat "$HOME/out")" $'two\nlines' 'output'
expect_way late codexos run -- echo 'ü'
expect_way late codexos run -q -- true
expect_way late codexos run -- sh -c : "$(printf '%070000d' 0)"
mkdir -p 'ü' && (cd 'ü' && expect_way late codexos run -- true)

step 'codes and the closing line are the same'
for code in 0 1 7 255; do expect_code "$code" codexos run -- sh -c "exit $code" </dev/null; done
expect_code 127 codexos run -- no-such-command </dev/null
expect_code 143 codexos run -- sh -c 'kill -TERM $$' </dev/null
expect_code 3 codexos run -- sh -c 'echo more >new; exit 3' </dev/null
early=$err
codexos discard >/dev/null
expect_code 3 env "XDG_CONFIG_HOME=$HOME/.config" codexos run -- sh -c 'echo more >new; exit 3' </dev/null
expect_eq "$early" "$err" 'closing line'
expect_has "$early" '1 file changed'

step 'and a remark before the start comes before the start'
codexos run -- sh -c 'sleep 1; echo program >&2' </dev/null >/dev/null 2>"$HOME/both"
expect_match "$(tr '\n' ' ' <"$HOME/both")" 'wait: -c starts from them.*program'
codexos discard >/dev/null

step 'nobody reads its stderr'
code=0
codexos run -- sh -c 'echo 1 >new; exit 5' </dev/null 2> >(exec true) || code=$?
expect_eq "$code" 5 'exit code'
codexos discard >/dev/null

step 'signals reach the program'
for signal in INT TERM HUP QUIT USR1; do
  rm -f "$HOME/ready"
  codexos run -- sh -c "trap 'exit 9' $signal; echo ready; while :; do sleep 0.05; done" </dev/null >"$HOME/ready" 2>/dev/null &
  client=$!
  wait_until 10 grep -q ready "$HOME/ready"
  # A background job of a shell without job control ignores INT and QUIT, and so does its program.
  case $signal in INT | QUIT) kill -KILL "$client" ;; *) kill -"$signal" "$client" ;; esac
  code=0
  wait "$client" 2>/dev/null || code=$?
  case $signal in INT | QUIT) expect_eq "$code" 137 'killed' ;; *) expect_eq "$code" 9 "after $signal" ;; esac
done
python3 - <<'P' || fail 'INT'
import os, signal, subprocess, sys, time
signal.signal(signal.SIGINT, signal.SIG_DFL)
p = subprocess.Popen(["codexos", "run", "--", "sh", "-c", "trap 'exit 9' INT; echo ready; while :; do sleep 0.05; done"],
                     stdin=subprocess.DEVNULL, stdout=open(os.environ["HOME"] + "/ready2", "w"), stderr=subprocess.DEVNULL)
while "ready" not in open(os.environ["HOME"] + "/ready2").read():
    time.sleep(0.01)
p.send_signal(signal.SIGINT)
sys.exit(p.wait(20) != 9)
P
no_task_runs() { [ -z "$(codexos -q ps)" ]; }
wait_until 20 no_task_runs

step 'a daemon that does not run is started'
codexos daemon stop >/dev/null
expect_ok codexos run -- true </dev/null
