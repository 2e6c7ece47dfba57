#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The daemon is killed before each single step of a task's start and end, one after the other: what was
# acknowledged is known, has exactly one end and the program's own code if it ran, and nothing is left.
# needs: strace
# timeout: 600
# alone
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
# shellcheck source=tests/crash/traced.bash
. "$TESTS/crash/traced.bash"

work
mark=4713.$RANDOM$RANDOM
# What the program leaves on the real disk says whether it ran, and how often.
run_marked() { codexos run "$@" --mode direct -- sh -c "echo ran >>$PWD/ran; sleep 0.$mark; exit 7"; }

check_all() { # check_all ACKNOWLEDGED: by the next daemon
  local id cause code ran
  ran=$(wc -l <ran)
  [ "$ran" -le 1 ] || fail "the program ran $ran times"
  [ -z "$1" ] || codexos inspect "$1" >/dev/null || fail "the acknowledged task $1 is not known"
  for id in $(codexos ps -aq); do
    code=0; timeout 30 codexos wait "$id" 2>/dev/null || code=$?
    expect_eq "$(codexos --json events "$id" | grep -c '"task.ended"')" 1 "task.ended of $id"
    cause=$(field "$id" .cause)
    case "$ran $cause $code" in
      '1 exited 7' | '0 start_failed 125' | '0 lost 125') ;;
      *) fail "ran $ran times, cause $cause, exit code $code" ;;
    esac
    [ "$ran" = 0 ] || expect_eq "$(codexos --json events "$id" | jq -r .type | xargs | sed 's/ task.adopted//')" 'task.created task.started task.ended'
  done
  wait_until 15 no_processes_with "sleep 0.$mark"
  codexos prune --all >/dev/null
  codexos daemon stop >/dev/null
}

# The database and its files are there before anything is counted.
expect_ok codexos run -- true
codexos prune --all >/dev/null
codexos daemon stop >/dev/null
total=0
for how in detached foreground; do
  for call in sendmsg fdatasync pwrite64; do
    base=$(calls_until_ready "$call")
    n=0
    while :; do
      n=$((n + 1))
      [ "$n" -le 80 ] || fail "$call: it never ends"
      : >ran
      # Killed before it listens: what it does then is not always the same, and nothing is lost either.
      traced_daemon -o /dev/null -e "trace=$call" -e "inject=$call:signal=KILL:when=$((base + n))" || { check_all ''; continue; }
      id='' code=0
      if [ "$how" = detached ]; then
        id=$(run_marked -d 2>/dev/null) || id=''
        # Until it is dead, or the task has ended without touching that step.
        wait_until 30 eval 'dead $tracer || [ -z "$id" ] || CODEXOS_NO_AUTOSTART=1 timeout 10 codexos wait "$id" >/dev/null 2>&1 || [ $? = 7 ]'
      else
        run_marked 2>err || code=$?
        case $code in 7 | 125) ;; *) fail "$call $n: exit $code: $(cat err)" ;; esac
        [ "$code" = 7 ] || [ ! -s ran ] || fail "$call $n: the program ran, but the exit code is $code: $(cat err)"
      fi
      # A daemon that was killed is gone a little later than its client has the program's exit code.
      for _ in $(seq 40); do ! alive "$tracer" || sleep 0.05; done
      alive "$tracer" || { total=$((total + 1)); check_all "$id"; continue; }
      # This step is not reached any more: all of them were broken.
      stop_traced
      check_all "$id"
      break
    done
    [ "$n" -gt 1 ] || step "$how: there is no $call"
    step "$how: $((n - 1)) steps of $call"
  done
done
[ "$total" -ge 20 ] || fail "only $total steps were broken"
