#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# rm refuses what runs; rm -f ends it; prune forgets what has nothing waiting; --all lists what would be lost.
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

work
codexos run -d --name live -- sleep 300 >/dev/null
expect_ok codexos run --name plain -- true
expect_ok codexos run --name waits -- sh -c 'echo x >new'
expect_error 5 '' codexos rm live
expect_ok codexos rm plain
expect_error 3 plain codexos inspect plain
expect_ok codexos run --name plain -- true
expect_ok codexos prune
expect_code 3 codexos inspect plain
expect_ok codexos inspect waits
expect_ok codexos prune --all --dry-run
expect_has "$out$err" "$(field waits .id)"
expect_ok codexos inspect waits
expect_ok codexos prune --all
expect_code 3 codexos inspect waits
expect_eq "$(field live .state)" running
expect_ok codexos rm -f live
expect_code 3 codexos inspect live
expect_error 3 '' codexos rm live
step 'their folders are gone'
expect_eq "$(find "$CODEXOS_HOME/tenants" -path '*/tasks/*' -mindepth 3 -maxdepth 3 | wc -l)" 0
