#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A daemon that is killed again and again while tasks start, run and end: nothing acknowledged is lost.
# timeout: 300
# long
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

work
codexos daemon start >/dev/null 2>&1
( # the killer, until the file goes
  touch killing
  while [ -e killing ]; do
    sleep "0.$((RANDOM % 8 + 1))"
    pid=$(daemon_pid) || true
    [ -z "$pid" ] || kill -KILL "$pid" 2>/dev/null || true
  done
) &
started+=($!)
wait_until 5 test -e killing
: >acknowledged
for n in $(seq 60); do
  if id=$(codexos run -d -- sh -c "sleep 0.$((RANDOM % 9)); exit $((n % 100 + 1))" 2>/dev/null); then echo "$id $((n % 100 + 1))" >>acknowledged; fi
done
rm killing; sleep 1
[ "$(wc -l <acknowledged)" -ge 20 ] || fail "only $(wc -l <acknowledged) of 60 starts were acknowledged"
while read -r id want; do
  code=0; timeout 30 codexos wait "$id" || code=$?
  expect_eq "$code" "$want" "code of $id"
  expect_eq "$(codexos --json events "$id" | jq -s -r '[.[]|select(.type=="task.ended")]|length')" 1 "task.ended of $id"
done <acknowledged
step 'what was not acknowledged has ended too, with a cause'
for id in $(codexos ps -aq); do
  wait_until 15 ended "$id"
  expect_ne "$(field "$id" .cause)" ''
done
