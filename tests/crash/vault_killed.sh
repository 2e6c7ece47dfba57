#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The daemon is killed at every call of set, rotate, rm, rekey and protect that changes something on a disk,
# and each of them fails with a full disk: the vault opens, a change that was acknowledged is there, and one
# that was not is there as a whole or not at all.
# timeout: 900
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
# shellcheck source=tests/crash/faults.bash
. "$TESTS/crash/faults.bash"

readonly old_value='the value before 0123456789' new_value='the value after 9876543210' words='correct horse battery'
opened() {
  [[ $(codexos --json secret status) != *'"state":"locked"'* ]] || codexos secret unlock <<<"$words" >/dev/null
}
# Everything that an action may change.
everything() {
  opened
  local name
  codexos --json secret status | sed 's/"key_id":"[^"]*","key_created_at":"[^"]*",//'
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
  [[ $(codexos --json secret status) == *'"source":"'$source'"'* ]] || case $source in
    file) codexos secret protect --key-file >/dev/null ;;
    passphrase) codexos secret protect --passphrase <<<"$words" >/dev/null ;;
  esac
}

broken=0 how='' n=0 all=no old='' new=''
# break_call ACTION: its Nth call is broken, HOW; `all` is set when it makes no such call any more.
break_call() {
  local action=$1 code=0 now
  up
  reset_vault "$action"
  rm -f "$TMPDIR/fault.hit"
  printf 'any %s %s %s\n' $how $n "$RANDOM$RANDOM" >"$TMPDIR/fault"
  timeout 60 bash -c "$(declare -f act); new_value='$new_value' words='$words'; act $action" >"$TMPDIR/said" 2>&1 || code=$?
  [ $code != 124 ] || fail "$how at $n: it hangs"
  [ -e "$TMPDIR/fault.hit" ] || sleep 0.1 # what follows the answer
  rm -f "$TMPDIR/fault"
  [ -e "$TMPDIR/fault.hit" ] || { all=yes; return 0; }
  broken=$((broken + 1))
  if [ $how = full ]; then
    now=$(everything)
    [ "$now" = "$old" ] || [ "$now" = "$new" ] || fail "full at $n, the same daemon: $now"
    codexos daemon stop >/dev/null
  fi
  wait_until 15 dead "$pid"
  up
  now=$(everything)
  expect_match "$now" '^\{"state":"open",' "$how at $n"
  if [ $code = 0 ]; then
    expect_eq "$now" "$new" "$how at $n, was acknowledged"
  elif [ "$now" != "$old" ] && [ "$now" != "$new" ]; then
    fail "$how at $n: neither before nor after: $now"
  fi
  # It can be written again, and proves itself again.
  expect_ok codexos secret set two <<<"$old_value"
}
break_each() { # break_each ACTION
  up
  reset_vault "$1"
  old=$(everything)
  expect_ok act "$1"
  new=$(everything)
  [ "$1" = rekey ] || expect_ne "$new" "$old" "what $1 changes"
  for how in kill full; do
    n=0 all=no
    while [ $all = no ]; do
      n=$((n + 1))
      [ $n -le 60 ] || fail 'it never ends'
      break_call "$1"
    done
    [ $n -gt 2 ] || fail "$how met nothing"
    step "$how at $((n - 1)) calls"
  done
  printf '%s\n' $broken >"$SCRATCH/broken.$1"
}

for action in set replace rotate rm rekey passphrase key-file; do beside $action break_each $action; done
all_parts
total=$(cat "$SCRATCH"/broken.* | awk '{ n += $1 } END { print n }')
[ "$total" -ge 60 ] || fail "only $total steps were broken"
