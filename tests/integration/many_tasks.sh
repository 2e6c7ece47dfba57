#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Bursts of tasks from several clients all get their own code, and nothing is left.
# timeout: 240
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

work
for n in 1 2 3 4; do
  { for i in $(seq 15); do code=0; codexos run -- sh -c "exit $((n * 15 + i))" || code=$?; [ "$code" = $((n * 15 + i)) ] || echo "wrong: $code for $((n * 15 + i))"; done >client.$n 2>&1; echo end >>client.$n; } &
done
wait_until 120 eval '[ "$(cat client.* 2>/dev/null | grep -cx end)" = 4 ]'
expect_eq "$(cat client.* | grep -vx end || true)" ''
expect_eq "$(codexos ps -q)" ''
expect_eq "$(codexos ps -aq | wc -l)" 60
expect_eq "$(codexos --json events | jq -s '[.[]|select(.type=="task.ended")]|length')" 60
