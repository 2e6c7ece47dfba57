#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# ps lists what runs and what waits; -a all; -q ids; --json the wire type, drawn the same.
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

work
expect_ok codexos ps
expect_ok codexos -q ps
expect_eq "$out" '' 'ids where nothing runs'
run=$(codexos run -d --name runner --label team=blue -- sleep 60)
expect_ok codexos run --name quiet -- true
expect_ok codexos run --name changer -- sh -c 'echo x >new'
expect_ok codexos ps
expect_has "$out" runner
expect_has "$out" changer
expect_hasnt "$out" quiet
expect_match "$out" 'running' 'the state'
expect_ok codexos ps -a
expect_has "$out" quiet
expect_ok codexos -q ps
expect_eq "$(wc -l <<<"$out")" 2
expect_has "$out" "$run"
expect_match "$out" '^[a-z2-7]{12}'
expect_ok codexos --json ps -a
expect_eq "$(jq -s 'if (.[0]|has("tasks")) then .[0].tasks|length else length end' <<<"$out")" 3
expect_ok codexos ps --json
step 'ps -q | xargs rm'
codexos stop "$run" >/dev/null
codexos ps -aq | xargs codexos rm >/dev/null 2>&1 || codexos ps -aq | xargs codexos rm -f >/dev/null
expect_eq "$(codexos ps -aq)" ''
step 'another workspace'
work other
x=$(codexos run -d -- sleep 60)
expect_has "$(codexos ps -q)" "$x"
expect_eq "$(codexos ps -q -w ../work)" ''
