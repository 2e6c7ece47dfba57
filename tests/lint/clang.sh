#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every source compiles without a warning by clang, as by g++.
# needs: clang++ cmake ninja
# timeout: 900
# alone
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

# shellcheck source=tests/lint/compile.bash
. "$TESTS/lint/compile.bash"
check_with clang++ clang
