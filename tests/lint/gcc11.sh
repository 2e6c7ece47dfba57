#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every source compiles by g++ 11, which Ubuntu 22.04 has.
# needs: g++-11 cmake ninja
# timeout: 900
# long
# alone
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

# shellcheck source=tests/lint/compile.bash
. "$TESTS/lint/compile.bash"
check_with g++-11 gcc11
