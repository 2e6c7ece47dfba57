#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Man pages and completions in the tree are what the program prints; the manual is clean by mandoc.
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

cd "$ROOT"
same() { # same FILE COMMAND...
  local file=$1
  shift
  "$@" >"$TMPDIR/printed"
  cmp -s "$file" "$TMPDIR/printed" || fail "$file differs from what \`$*\` prints: $(diff "$file" "$TMPDIR/printed" | head -5)"
}
same completions/codexos.bash codexos completion bash
same completions/_codexos codexos completion zsh
same completions/codexos.fish codexos completion fish
same man/codexos.1 codexos __man
same schema/policy.schema.json codexos __schema policy
same schema/openapi.yaml codexosd openapi
same schema/task.schema.json codexos __schema task
same schema/event.schema.json codexos __schema event
if command -v mandoc >/dev/null; then
  for page in man/*.[1-9]; do
    mandoc -Tlint -W warning "$page" || fail "$page"
  done
fi
