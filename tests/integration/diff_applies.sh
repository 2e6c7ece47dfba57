#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What `codexos diff` prints makes of the original folder what the task saw: by `git apply`, and by `patch -p1`
# where nothing is binary and no name has a blank. Random trees, random changes. RUNS=N makes more of them, SEED=N begins elsewhere.
# needs: python3 git patch
# timeout: 300
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

cp "$TESTS/integration/fixtures/changes.py" "$HOME/changes.py"
changes() { python3 "$HOME/changes.py" "$@"; }
# A plain folder that no git looks over: git apply in a work tree would ask its index.
export GIT_CEILING_DIRECTORIES=$HOME GIT_DIR=/nonexistent
umask 022
first=${SEED:-1}
for seed in $(seq "$first" $((first + ${RUNS:-12} - 1))); do
  step "seed $seed"
  export PLAIN=$((seed % 2))
  rm -rf "$HOME/w" "$HOME/copy" "$HOME/byhand" && mkdir "$HOME/w" && cd "$HOME/w"
  changes make "$seed"
  cp -a "$HOME/w" "$HOME/copy" && cp -a "$HOME/w" "$HOME/byhand"
  expect_ok codexos run -e PLAIN --show "$HOME/changes.py:/tmp/changes.py" -- sh -c "python3 /tmp/changes.py change $seed && python3 /tmp/changes.py show"
  cp "$TMPDIR/.out" "$TMPDIR/seen"
  expect_ok codexos diff
  cp "$TMPDIR/.out" "$TMPDIR/patch"
  [ -s "$TMPDIR/patch" ] || { changes show | cmp - "$TMPDIR/seen" && continue; }
  cd "$HOME/copy"
  expect_ok git apply --whitespace=nowarn "$TMPDIR/patch"
  changes show >"$TMPDIR/applied"
  cmp "$TMPDIR/seen" "$TMPDIR/applied" || fail "git apply, seed $seed: $(diff "$TMPDIR/seen" "$TMPDIR/applied" | head -20)"
  [ "$PLAIN" = 1 ] || continue
  cd "$HOME/byhand"
  expect_ok patch -s -p1 --no-backup-if-mismatch -i "$TMPDIR/patch"
  changes show >"$TMPDIR/applied"
  cmp "$TMPDIR/seen" "$TMPDIR/applied" || fail "patch -p1, seed $seed: $(diff "$TMPDIR/seen" "$TMPDIR/applied" | head -20)"
done
