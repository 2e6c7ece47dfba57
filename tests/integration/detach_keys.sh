#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# ctrl-] d leaves a foreground task running; a terminal that hangs up ends it.
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

work
expect_code 0 pty --expect READY --send '\x1dd' -- codexos run --name left -- sh -c 'echo READY; read -r x; echo "read $x"; exit 4'
expect_eq "$(field left .state)" running
expect_code 4 pty --send 'word\n' --expect 'read word' -- codexos attach left
step 'hang-up'
pty --expect READY --hangup -- codexos run --name hung -- sh -c 'echo READY; exec sleep 300' >/dev/null || true
wait_until 20 ended hung
expect_match "$(field hung .cause)" 'signaled|owner_gone'
