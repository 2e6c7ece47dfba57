#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# apply_property.sh in thousands of rounds. ROUNDS and SEED say how many and which.
# timeout: 7200
# needs: python3
# long
# alone
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

work
python3 "$TESTS/integration/fixtures/apply_property.py" "${ROUNDS:-3000}" ${SEED:+"$SEED"} || fail 'see above'
