#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A parked helper that is killed while a start already uses it costs that start time: the task gets
# another one, and its client notices nothing.
# needs: strace
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
# shellcheck source=tests/crash/traced.bash
. "$TESTS/crash/traced.bash"

work
expect_ok codexos run -- true # the last one: a helper for the next is parked from the start
codexos daemon stop >/dev/null
# The commit of a start takes a while: meanwhile its helper waits for GO.
CODEXOS_PARKED=1 traced_daemon -o /dev/null -e trace=fdatasync -e inject=fdatasync:delay_enter=400000
parked() { [ "$(CODEXOS_NO_AUTOSTART=1 codexos --json daemon status | jq .helpers_parked)" = 1 ]; }
task_folders() { [ "$(find "$CODEXOS_HOME/tenants/default/tasks" -mindepth 1 -maxdepth 1 | wc -l)" = "$1" ]; }
pid=$(daemon_pid)
for way in foreground detached; do
  wait_until 20 parked
  helpers=$(made_by "$pid") # it, and what it was made from
  expect_match "$helpers" '[0-9]' 'a helper is parked'
  if [ "$way" = foreground ]; then
    { code=0; echo input | codexos run --name "$way" -- sh -c 'cat; exit 3' >out 2>err || code=$?; echo "$code" >code; } &
  else
    { codexos run --name "$way" -d -- sh -c 'echo input; exit 3' >id 2>err || echo "$?" >code; } &
  fi
  # In use: it has left the pool, and no second one is parked while a start is under way.
  wait_until 10 task_folders 2
  # shellcheck disable=SC2086
  kill -KILL $helpers
  if [ "$way" = foreground ]; then
    wait_until 30 test -s code
    expect_eq "$(cat code) $(cat out) $(cat err)" '3 input '
  else
    wait_until 30 test -s id
    expect_code 3 timeout 30 codexos wait "$(cat id)"
    expect_eq "$(codexos logs "$(cat id)")" input
  fi
  expect_eq "$(codexos --json events "$way" | jq -r .type | xargs)" 'task.created task.started task.ended'
  codexos rm "$way" >/dev/null
  wait_until 10 task_folders 1
done
grep -q 'it gets another one' "$TMPDIR/daemon.log" || fail "no helper was killed in time: $(cat "$TMPDIR/daemon.log")"
