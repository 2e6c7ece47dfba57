#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Package caches are private to the workspace and persist between its tasks.
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

mkdir -p ~/.npm ~/.cache/pip && printf 'host\n' >~/.npm/host
work one
for dir in .npm .cache/pip .cache/uv .cargo/registry .cache/go-build go/pkg/mod .m2 .gradle .ccache; do
  expect_ok codexos run -- sh -c "mkdir -p ~/$dir && ls -A ~/$dir | xargs && echo kept >~/$dir/k"
  expect_eq "$out" '' "~/$dir is empty at first"
  expect_ok codexos run -- cat "$HOME/$dir/k"
  expect_eq "$out" kept "~/$dir persists"
done
expect_eq "$(ls -A ~/.npm)" host
step 'another workspace has its own'
work two
expect_code 1 codexos run -- cat "$HOME/.npm/k"
