# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# A daemon under strace, which breaks one of its system calls: kills it there, or lets the call fail.
# Nothing is parked unless CODEXOS_PARKED says so, so that the calls of a start are always the same.

# traced_daemon STRACE-OPTION...: starts it and waits until it listens; its output is in $TMPDIR/daemon.log.
# Fails when it ended before that.
traced_daemon() {
  CODEXOS_PARKED=${CODEXOS_PARKED:-0} strace -qq "$@" codexosd --foreground >"$TMPDIR/daemon.log" 2>&1 &
  tracer=$!
  started+=("$tracer")
  local n
  for n in $(seq 600); do
    ! grep -q 'listens on' "$TMPDIR/daemon.log" || return 0
    alive "$tracer" || return 1
    sleep 0.05
  done
  fail "the traced daemon does not listen after $((n / 20)) s: $(cat "$TMPDIR/daemon.log")"
}
# calls_until_ready CALL: how often it is made before the daemon listens. Stops the daemon again.
calls_until_ready() {
  traced_daemon -o "$TMPDIR/trace" -s 200 -e "trace=$1,write"
  # Not what it did between that and our look.
  awk -v call="$1(" '/listens on/ { exit } index($0, call) == 1 { n++ } END { print n + 0 }' "$TMPDIR/trace"
  stop_traced
}
stop_traced() {
  CODEXOS_NO_AUTOSTART=1 codexos daemon stop >/dev/null 2>&1 || true
  wait_until 15 dead "$tracer"
}
