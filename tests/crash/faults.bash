# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# A daemon whose calls can be broken while it lives (probes/faults.cc), by what stands in $TMPDIR/fault: "CALL HOW
# WHEN WORD"; one that was hit leaves $TMPDIR/fault.hit. Nothing else starts a daemon.
export CODEXOS_NO_AUTOSTART=1

pid=''
# up: it runs and listens; its number is in `pid`. Nothing is parked, as one is started for each call.
up() {
  [ -z "$pid" ] || dead "$pid" || return 0
  CODEXOS_PARKED=0 LD_PRELOAD="$CODEXOS_BIN/libcodexos-faults.so" CODEXOS_FAULT="$TMPDIR/fault" \
    codexosd --foreground >>"$TMPDIR/daemon.log" 2>&1 &
  pid=$!
  started+=("$pid")
  disown "$pid" # bash would tell of each kill
  wait_until 20 listens
}
listens() { [ -n "$(daemon_pid)" ]; }
