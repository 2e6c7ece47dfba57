#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The daemon is killed at every call of set, rotate, rm, rekey and protect that changes something on a disk,
# and each of them fails with a full disk: the vault opens, a change that was acknowledged is there, and one
# that was not is there as a whole or not at all.
# timeout: 900
# alone
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

readonly old_value='the value before 0123456789' new_value='the value after 9876543210' words='correct horse battery'
listens() { CODEXOS_NO_AUTOSTART=1 codexos --json daemon status 2>/dev/null | jq -e .running >/dev/null; }
export CODEXOS_NO_AUTOSTART=1
pid=''
# A daemon whose calls can be broken (probes/faults.cc); it may be one that lives.
up() {
  [ -z "$pid" ] || dead "$pid" || return 0
  CODEXOS_PARKED=0 LD_PRELOAD="$CODEXOS_BIN/libcodexos-faults.so" CODEXOS_FAULT="$TMPDIR/fault" codexosd --foreground >>"$TMPDIR/daemon.log" 2>&1 &
  pid=$!
  started+=("$pid")
  disown "$pid" # bash would tell of each kill
  wait_until 20 listens
}
opened() {
  [ "$(codexos --json secret status | json .state)" != locked ] || codexos secret unlock <<<"$words" >/dev/null
}
# Everything that an action may change.
everything() {
  opened
  local name
  codexos --json secret status | jq -r '"\(.state) \(.source) \(.secrets)"'
  for name in $(codexos -q secret list); do printf '%s=%s\n' "$name" "$(codexos secret show --reveal "$name")"; done
}
act() {
  case $1 in
    set) codexos secret set fresh --host a.example <<<"$new_value" ;;
    replace) codexos secret set one <<<"$new_value" ;;
    rotate) codexos secret rotate one <<<"$new_value" ;;
    rm) codexos secret rm one ;;
    rekey) codexos secret rekey ;;
    passphrase) codexos secret protect --passphrase <<<"$words" ;;
    key-file) codexos secret protect --key-file ;;
  esac
}
# From where each action starts: two secrets, kept as the action changes it.
reset_vault() {
  local source=file
  [ "$1" != key-file ] || source=passphrase
  opened
  codexos secret rm fresh >/dev/null 2>&1 || true
  codexos secret set one --host a.example <<<"$old_value" >/dev/null
  codexos secret set two <<<"$old_value" >/dev/null
  [ "$(codexos --json secret status | json .source)" = $source ] || case $source in
    file) codexos secret protect --key-file >/dev/null ;;
    passphrase) codexos secret protect --passphrase <<<"$words" >/dev/null ;;
  esac
}

work
up
total=0
for action in set replace rotate rm rekey passphrase key-file; do
  reset_vault $action
  old=$(everything)
  expect_ok act $action
  new=$(everything)
  [ $action = rekey ] || expect_ne "$new" "$old" "what $action changes"
  for how in kill full; do
    n=1
    while :; do
      [ $n -le 60 ] || fail "$action: it never ends"
      up
      reset_vault $action
      rm -f "$TMPDIR/fault.hit"
      printf 'any %s %s %s\n' $how $n "$RANDOM$RANDOM" >"$TMPDIR/fault"
      code=0
      timeout 60 bash -c "$(declare -f act); new_value='$new_value' words='$words'; act $action" >"$TMPDIR/said" 2>&1 || code=$?
      [ $code != 124 ] || fail "$action, $how at $n: it hangs"
      [ -e "$TMPDIR/fault.hit" ] || sleep 0.1 # what follows the answer
      rm -f "$TMPDIR/fault"
      [ -e "$TMPDIR/fault.hit" ] || break
      total=$((total + 1))
      if [ $how = full ]; then
        now=$(everything)
        [ "$now" = "$old" ] || [ "$now" = "$new" ] || fail "$action, full at $n, the same daemon: $now"
        codexos daemon stop >/dev/null
      fi
      wait_until 15 dead "$pid"
      up
      now=$(everything)
      expect_match "$now" '^open ' "$action, $how at $n"
      if [ $code = 0 ]; then
        expect_eq "$now" "$new" "$action, $how at $n, was acknowledged"
      elif [ "$now" != "$old" ] && [ "$now" != "$new" ]; then
        fail "$action, $how at $n: neither before nor after: $now"
      fi
      # It can be written again, and proves itself again.
      expect_ok codexos secret set two <<<"$old_value"
      n=$((n + 1))
    done
    [ $n -gt 2 ] || fail "$action: $how met nothing"
    step "$action: $how at $((n - 1)) calls"
  done
done
[ $total -ge 60 ] || fail "only $total steps were broken"
