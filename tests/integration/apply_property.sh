#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Random trees and random changes: apply is what the task saw, undo is what was, and no byte that the user
# wrote before, while or after the task ran is ever lost. ROUNDS and SEED say how many and which.
# timeout: 600
# needs: python3
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

work
python3 "$TESTS/integration/fixtures/apply_property.py" "${ROUNDS:-36}" ${SEED:+"$SEED"} || fail 'see above'
