#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The build of setup.sh, several sources a compiler run, is without a warning by clang, as by g++. That each
# source is so alone, clang_alone.sh says.
# needs: clang++ cmake ninja
# timeout: 1800
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

# shellcheck source=tests/lint/compile.bash
. "$TESTS/lint/compile.bash"
check_with clang++ clang -DCMAKE_UNITY_BUILD=ON
