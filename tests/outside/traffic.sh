#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What programs and daemon say to each other while the other tests run is what schema/ says, judged by ajv: every
# operation of openapi.yaml is done at least once, with real data, and each request, status and body looked at.
# The recording is strace's, of the daemon's main thread, which serves all connections: nothing stands in between, so
# descriptors, credentials and malformed bytes are what they always are.
# long
# alone
# needs: node npm strace curl jq python3
# timeout: 900
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
# shellcheck source=tests/npm.bash
. "$TESTS/npm.bash"

needs_curl
needs_npm 18 ajv
npm_modules ajv@8.20.0 ajv-formats@3.0.1 yaml@2.9.1

# Programs that are the same, but for a daemon that is traced. The program finds it beside itself, so it is a copy.
traced=$SCRATCH/bin
traces=$SCRATCH/traces
mkdir -p "$traced" "$traces"
cp "$CODEXOS_BIN/codexos" "$traced/"
for program in "$CODEXOS_BIN"/*; do
  [ -e "$traced/${program##*/}" ] || ln -s "$program" "$traced/"
done
rm "$traced/codexosd"
cat >"$traced/codexosd" <<D
#!/bin/sh
case "\$1" in openapi | plan | doctor | --version) exec "$CODEXOS_BIN/codexosd" "\$@" ;; esac
trace=\$( (umask 077 && mktemp "$traces/XXXXXX") )
# Its first prctl(2) is left out: it takes the right to read its memory away, also from an ordinary user's strace.
exec strace -qq -xx -s 16777216 -e signal=none -e trace=accept4,bind,recvmsg,sendmsg,close,prctl -e inject=prctl:retval=0:when=1 \\
  -o "\$trace" "$CODEXOS_BIN/codexosd" "\$@"
D
chmod +x "$traced/codexosd"

step 'the other tests, recorded'
# Not those that take long for what they say over the socket, nor those that look at the daemon's process itself.
left_out='apply_property|autostart|diff_applies|doctor|egress_programs|limits_cpu|overlay_ahead|program_|seams|setup_ubuntu'
mapfile -t names < <({ "$TESTS/run" --list integration/ | grep -vE "/($left_out)"; printf 'security/agent_login.sh\n'; })
# A stream that is followed for longer than the daemon is silent on one.
(
  work follow
  export CODEXOS_HOME=$SCRATCH/follow
  "$traced/codexos" run -q -- true
  "$traced/codexos" doctor >/dev/null || true
  api -sN --max-time 17 'http://x/v1/events?follow=1' >/dev/null || true
  "$traced/codexos" daemon stop >/dev/null
) &
followed=$!
# Their verdicts count where they run as they are: under strace some are too slow for their time limits.
CODEXOS_BIN=$traced TMPDIR=$SCRATCH "$TESTS/run" -j 2 "${names[@]}" >"$SCRATCH/nested.log" 2>&1 || true
wait "$followed"
tail -n 1 "$SCRATCH/nested.log" >&2

step 'what was recorded, judged'
node "$TESTS/outside/judge.js" "$ROOT" "$modules" "$traces"/* >"$SCRATCH/verdict" || fail "$(cut -c 1-600 "$SCRATCH/verdict")"
cat "$SCRATCH/verdict" >&2

step 'a judge that would find nothing is none'
spoilt() { # WHAT SED-SCRIPT: the same traffic with something else in it is wrong
  local file
  mkdir -p "$SCRATCH/spoilt"
  for file in "$traces"/*; do sed -E "$2" "$file" >"$SCRATCH/spoilt/${file##*/}"; done
  ! node "$TESTS/outside/judge.js" "$ROOT" "$modules" "$SCRATCH/spoilt"/* >"$SCRATCH/verdict.spoilt" || fail "not noticed: $1"
}
hex() { printf %s "$1" | od -An -v -tx1 | tr -d ' \n' | sed 's/../\\\\x&/g'; }
spoilt 'a field with another name' "s/$(hex '"tasks_running"')/$(hex '"tasks_runnign"')/"
spoilt 'a status that is not described' "/^sendmsg/s/$(hex ' 201 Created')/$(hex ' 202 Created')/"
spoilt 'an event of an unknown type' "s/$(hex '"task.started"')/$(hex '"task.stirred"')/g"
spoilt 'a problem with another status' "s/$(hex '"status":404')/$(hex '"status":410')/g"
spoilt 'a request that our own client may not send' "/^recvmsg/s/$(hex '"stdin_mode"')/$(hex '"stdin_made"')/"
