#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Output is kept up to 64 MiB a stream, head and tail; the cut middle is said.
# timeout: 180
# long
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

work
codexos run --name big -- sh -c 'seq -f %015.0f 1 6000000' >/dev/null
codexos logs big >../log 2>../note
[ "$(stat -c %s ../log)" -le $((65 * 1024 * 1024)) ] || fail 'more than 64 MiB was kept'
expect_eq "$(head -1 ../log)" 000000000000001
expect_eq "$(tail -1 ../log)" 000000006000000
grep -aqiE 'cut|skipped|omitted' ../log ../note || fail 'nothing says that the middle is cut'
