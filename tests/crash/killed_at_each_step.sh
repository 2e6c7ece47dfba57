#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The daemon is killed before each single step of a task's start and end, one after the other: what was
# acknowledged is known, has exactly one end and the program's own code if it ran, and nothing is left.
# needs: strace
# timeout: 600
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
# shellcheck source=tests/crash/traced.bash
. "$TESTS/crash/traced.bash"

# What the program leaves on the real disk says whether it ran, and how often.
run_marked() { codexos run "$@" --mode direct -- sh -c "echo ran >>$PWD/ran; sleep $mark; exit 7"; }

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
  wait_until 15 no_processes_with "sleep $mark"
  codexos prune --all >/dev/null
  codexos daemon stop >/dev/null
}

# until_dead_or_ended TASK: the daemon is dead, or the task has ended without touching that step. Asked once: each
# answer is a step too. Who waits would go on for ten seconds when the daemon dies.
until_dead_or_ended() {
  local waiter code=0
  CODEXOS_NO_AUTOSTART=1 codexos wait "$1" >/dev/null 2>&1 &
  waiter=$!
  wait_until 30 eval 'dead "$tracer" || dead "$waiter"'
  kill -KILL "$waiter" 2>/dev/null || true
  wait "$waiter" || code=$?
  [ "$code" = 7 ] || wait_until 15 dead "$tracer"
}
broken=0 all=no
# break_step HOW CALL N: the daemon is killed before the Nth CALL after its start; `all` is set when none is left.
break_step() {
  local how=$1 call=$2 n=$3 id='' code=0
  : >ran
  # Killed before it listens: what it does then is not always the same, and nothing is lost either.
  traced_daemon -o /dev/null -e "trace=$call" -e "inject=$call:signal=KILL:when=$((base + n))" || { check_all ''; return 0; }
  if [ "$how" = detached ]; then
    id=$(run_marked -d 2>/dev/null) || id=''
    [ -z "$id" ] || until_dead_or_ended "$id"
  else
    run_marked 2>err || code=$?
    case $code in 7 | 125) ;; *) fail "$call $n: exit $code: $(cat err)" ;; esac
    [ "$code" = 7 ] || [ ! -s ran ] || fail "$call $n: the program ran, but the exit code is $code: $(cat err)"
  fi
  # A daemon that was killed is gone a little later than its client has the program's exit code.
  for _ in $(seq 40); do ! alive "$tracer" || sleep 0.05; done
  if alive "$tracer"; then
    stop_traced
    all=yes
  else
    broken=$((broken + 1))
  fi
  check_all "$id"
}
break_each() { # break_each HOW CALL
  local base n=0
  mark=0.1$RANDOM$RANDOM
  # The database and its files are there before anything is counted.
  expect_ok codexos run -- true
  codexos prune --all >/dev/null
  codexos daemon stop >/dev/null
  base=$(calls_until_ready "$2")
  while [ $all = no ]; do
    n=$((n + 1))
    [ "$n" -le 80 ] || fail "$2: it never ends"
    break_step "$1" "$2" "$n"
  done
  step "$((n - 1)) steps, $broken of them broken"
  printf '%s\n' "$broken" >"$SCRATCH/broken.$1.$2"
}

for how in detached foreground; do
  for call in sendmsg fdatasync pwrite64; do beside "$how.$call" break_each $how $call; done
done
all_parts
total=$(cat "$SCRATCH"/broken.* | awk '{ n += $1 } END { print n }')
[ "$total" -ge 20 ] || fail "only $total steps were broken"
