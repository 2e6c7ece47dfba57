#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Chromium runs headless in a nested task, with its own sandbox on.
# needs: chromium
# timeout: 180
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

work
printf '<h1>hello from chromium</h1>\n' >page.html
expect_ok timeout 120 codexos run --seccomp nested -- chromium --headless --disable-gpu --no-first-run --user-data-dir=/tmp/profile --dump-dom "file://$PWD/page.html"
expect_has "$out" 'hello from chromium'
