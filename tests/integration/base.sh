#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# At a task's end the daemon writes down what the real folder had where the task changed something:
# also late, when it died in between; with the task it goes.
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

work
base_of() { echo "$CODEXOS_HOME/tenants/default/tasks/$(field "$1" .id)/base"; }
# What the store of contents holds, by hash.
has_object() {
  local h
  h=$(printf '%s' "$1" | sha256sum | cut -d' ' -f1)
  test -f "$CODEXOS_HOME/tenants/default/objects/${h:0:2}/${h:2}"
}
printf 'before' >f
expect_ok codexos run --name one -- sh -c 'echo after >f; mkdir -p new/deep; touch new/deep/x'
wait_until 10 test -s "$(base_of one)"
has_object before || fail 'the text is not kept'
expect_has "$(tr -d '\0' <"$(base_of one)")" "$(printf before | sha256sum | cut -d' ' -f1)"
expect_hasnt "$(tr -d '\0' <"$(base_of one)")" 'deep' 'new folders are not walked'
step 'no changes, no base'
expect_ok codexos run --name none -- true
expect_no_file "$(base_of none)"
step 'late, by the next daemon'
base=$(base_of one)
expect_ok codexos daemon stop
rm "$base"
expect_ok codexos daemon start
wait_until 10 test -s "$base"
step 'it goes with the task'
dir=$(dirname "$base")
expect_ok codexos rm one
wait_until 10 test ! -e "$dir"
