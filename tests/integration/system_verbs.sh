#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# status, health, version, daemon status, help: short, with --json, and their codes.
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

work
step 'daemon status does not start it'
expect_code 7 codexos daemon status
expect_code 7 codexos --json daemon status
expect_eq "$(json .running <<<"$out")" false
expect_eq "$(daemon_pid)" ''
expect_error 7 '' env CODEXOS_NO_AUTOSTART=1 codexos ps
expect_code 125 env CODEXOS_NO_AUTOSTART=1 codexos run -- true
step 'version works without a daemon'
expect_ok codexos version
expect_match "$out" '[0-9]+\.[0-9]+\.[0-9]+'
expect_ok codexos --json version
expect_match "$(json .build_id <<<"$out")" '^[0-9a-f]{8,}$'
step 'start and status'
expect_ok codexos daemon start
expect_ok codexos daemon start
expect_ok codexos --json daemon status
expect_eq "$(json '[.running,.home,.socket]|map(tostring)|join(" ")' <<<"$out")" "true $CODEXOS_HOME $CODEXOS_HOME/codexosd.sock"
pid=$(json .pid <<<"$out")
alive "$pid" || fail 'the pid is not a process'
expect_eq "$(stat -c %a "$CODEXOS_HOME")" 700
expect_ok codexos status
expect_ok codexos --json status
expect_eq "$(json .pid <<<"$out")" "$pid"
expect_ok codexos health
expect_ok codexos --json health
expect_eq "$(json .ok <<<"$out")" true
expect_ok codexos --json version
expect_eq "$(json '.build_id == .daemon_build_id' <<<"$out")" true
step 'the daemon keeps nothing of the caller'
if is_root; then expect_eq "$(readlink "/proc/$pid/cwd")" /; fi
! is_root || for fd in 0 1 2; do expect_match "$(readlink "/proc/$pid/fd/$fd" || echo none)" '^(/dev/null|none|.*/(log|codexosd\.log).*)$' "fd $fd of the daemon"; done
step 'stop'
expect_ok codexos daemon stop
wait_until 5 dead "$pid"
expect_ok codexos daemon stop
step 'help'
expect_ok codexos help
expect_has "$out" 'run'
expect_ok codexos --help
for verb in run ps inspect logs attach wait events exec stop kill pause resume rm prune diff status health version; do
  expect_ok codexos "$verb" --help
  [ "$(wc -l <<<"$out")" -le 60 ] || fail "$verb --help does not fit a screen"
  expect_match "$out" 'codexos .*'"$verb" "the examples of $verb --help"
  expect_ok codexos help "$verb"
done
