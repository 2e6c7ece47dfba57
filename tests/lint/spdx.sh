#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every source and script opens with its SPDX line.
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

cd "$ROOT"
find core daemon cli tests schema .ci setup.sh CMakeLists.txt -type f \( -name '*.cc' -o -name '*.h' -o -name '*.in' -o -name '*.sh' -o -name '*.py' -o -name '*.sql' -o -name 'CMakeLists.txt' -o -path '*/run' \) |
  while read -r file; do
    head -n 2 "$file" | grep -q 'SPDX-License-Identifier: Apache-2.0' || printf '%s\n' "$file"
  done >"$TMPDIR/without"
[ ! -s "$TMPDIR/without" ] || fail "without an SPDX line: $(xargs <"$TMPDIR/without")"
