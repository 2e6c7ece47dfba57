#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Scripts are clean by shellcheck.
# needs: shellcheck
# timeout: 300
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

cd "$ROOT"
find tests setup.sh .ci/run \( -name '*.sh' -o -name '*.bash' -o -path '*/run' \) -type f -print0 | sort -zu | xargs -0 -n 16 -P "$(nproc)" shellcheck
