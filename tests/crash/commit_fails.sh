#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A database that cannot be written for a moment (I/O error, full disk) refuses starts with the reason, runs
# nothing, and loses no end; the daemon lives and works again afterwards.
# needs: strace
# timeout: 400
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
# shellcheck source=tests/crash/traced.bash
. "$TESTS/crash/traced.bash"

# What the daemon answers in the turn whose commit fails is the failure, also for `daemon status`: asked again.
pid_after_faults() {
  local n pid
  for n in $(seq 20); do
    pid=$(daemon_pid)
    [ -z "$pid" ] || break
    sleep 0.1
  done
  [ -n "$pid" ] || fail "the daemon does not answer after $n looks: $(cat "$TMPDIR/daemon.log")"
  printf '%s\n' "$pid"
}

work
expect_ok codexos run -- true
codexos daemon stop >/dev/null
for fault in fdatasync:EIO pwrite64:ENOSPC pwrite64:EIO; do
  call=${fault%:*} error=${fault#*:}
  base=$(calls_until_ready "$call")
  step "$fault, from the start's commit on, then well again"
  # The first start meets it, in each of its tries; how many calls that are is not counted here.
  for n in 1 2 3 5 7; do
    # A fault before it listens lets it end with the reason.
    traced_daemon -o /dev/null -e "trace=$call" -e "inject=$call:error=$error:when=$((base + n))" || continue
    pid=$(pid_after_faults)
    refused=0
    for name in one two three; do
      : >ran
      code=0
      codexos run --mode direct --name $name -- sh -c 'echo ran >>ran; exit 5' >out 2>err || code=$?
      case "$code $(wc -l <ran)" in
        '125 0') # its start met the fault: refused
          refused=$((refused + 1))
          expect_match "$(cat err)" 'error: .*(I/O error|disk)'
          expect_error 3 '' codexos inspect $name
          ;;
        '5 1') # its end met it, or nothing did: it is written in the end
          wait_until 20 ended $name
          expect_eq "$(codexos --json events $name | grep -c task.ended)" 1
          ;;
        *) fail "$fault $n: exit $code, the program ran $(wc -l <ran) times: $(cat err)" ;;
      esac
      expect_eq "$(pid_after_faults)" "$pid" 'the daemon'
    done
    [ "$refused" -le 1 ] || fail "$refused starts were refused for one fault"
    [ "$refused" = 0 ] || expect_code 5 codexos run -- sh -c 'exit 5'
    codexos prune --all >/dev/null || true # it may meet the fault too
    stop_traced
  done
done
step 'a disk that stays full: every start is refused, reading still works, and then it goes on'
base=$(calls_until_ready pwrite64)
traced_daemon -o /dev/null -e trace=pwrite64 -e "inject=pwrite64:error=ENOSPC:when=$((base + 1))..$((base + 12))"
refused=0
for _ in $(seq 40); do
  code=0
  codexos --json run -- sh -c 'exit 5' >out 2>err || code=$?
  [ "$code" = 125 ] || break
  refused=$((refused + 1))
  expect_eq "$(sed -n '/^{/p' err | jq -r '"\(.code) \(.status)"')" 'no_space 507'
  expect_ok codexos ps -a
done
[ "$refused" -ge 2 ] || fail "refused only $refused starts"
expect_eq "$code" 5 "after the disk had room again: $(cat err)"
