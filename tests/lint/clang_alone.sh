#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Each source alone compiles without a warning by clang: it includes what it names, and uses what it has.
# needs: clang++ cmake ninja
# timeout: 1800
# long
# alone
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

# shellcheck source=tests/lint/compile.bash
. "$TESTS/lint/compile.bash"
check_with clang++ clang-alone
