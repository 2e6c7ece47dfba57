#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# killed_at_random.sh with 1,000 kills. KILLS and SEED say how many and which.
# needs: python3 sqlite3
# timeout: 1800
# long
export KILLS=${KILLS:-1000}
# shellcheck source=tests/crash/killed_at_random.sh
. "$(dirname "${BASH_SOURCE[0]}")/killed_at_random.sh"
