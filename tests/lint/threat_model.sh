#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Each test that SECURITY.md and docs/threat-model.md name exists, and each threat names one.
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

cd "$ROOT"
for file in SECURITY.md docs/threat-model.md; do
  grep -oE '`tests/[^`]+`' "$file" | tr -d '`' | sort -u >"$TMPDIR/named"
  [ "$(wc -l <"$TMPDIR/named")" -ge 10 ] || fail "$file names hardly any test"
  while read -r path; do [ -e "$path" ] || fail "$file names $path, which is not there"; done <"$TMPDIR/named"
done
grep -nE '^\| [STRIDE] \|' docs/threat-model.md | grep -v '`tests/' >"$TMPDIR/without" && fail "a threat without a test: $(head -1 "$TMPDIR/without")"
# Every test of security stands beside a promise.
for path in tests/security/*.sh; do
  grep -qF "$path" SECURITY.md docs/threat-model.md || fail "$path is named by neither SECURITY.md nor docs/threat-model.md"
done
