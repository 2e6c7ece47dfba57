#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# --plan-only prints what would run and starts nothing.
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

mkdir -p ~/.ssh ~/.aws && touch ~/.ssh/id
repo
expect_ok codexos run --plan-only --timeout 5m -e A=b -- make test
for word in make full none "$HOME/repo" ; do expect_has "$out" "$word"; done
expect_match "$out" '\.ssh.*--show'
expect_has "$out" network
expect_eq "$(codexos ps -aq)" '' 'no task was made'
expect_ok codexos --json run --plan-only -- make test
expect_eq "$(json '.argv|join(" ")' <<<"$out")" 'make test'
expect_eq "$(json '[.isolation,.seccomp,.network,.mode]|join(" ")' <<<"$out")" 'full default none overlay'
expect_eq "$(jq '[.mounts[]|select(.role=="workspace")]|length' <<<"$out")" 1
jq -e '.hidden|map(select(test("ssh")))|length > 0' <<<"$out" >/dev/null || fail 'hidden'
[ "$(jq -r '[.mounts[].target]|index("/etc/shadow")' <<<"$out")" = null ] || fail '/etc/shadow'
expect_error 125 '' codexos run --plan-only -w / -- true
