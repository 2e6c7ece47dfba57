#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# inspect tells everything that is known; without TASK it is the last task of the workspace, and stderr says which.
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

repo
cd sub
expect_code 4 codexos run --name told --label a=b -- sh -c 'echo x >new; rm deep.txt; echo hello; exit 4'
expect_ok codexos --json inspect told
expect_eq "$(json '[.name,.state,.cause,.isolation,.seccomp,.network,.mode,.labels.a]|join(" ")' <<<"$out")" 'told failed exited full default none overlay b'
expect_eq "$(json '.argv|join("|")' <<<"$out")" 'sh|-c|echo x >new; rm deep.txt; echo hello; exit 4'
expect_eq "$(json .workspace <<<"$out")" "$HOME/repo"
expect_eq "$(json .cwd <<<"$out")" "$HOME/repo/sub"
expect_eq "$(json .exit_code <<<"$out")" 4
expect_eq "$(json '[.changes.added,.changes.deleted,.changes_state]|map(tostring)|join(" ")' <<<"$out")" '1 1 waiting'
expect_match "$(json .created_at <<<"$out")" '^20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{6}Z$'
[ "$(json .usage.wall_us <<<"$out")" -gt 0 ] || fail 'no wall time'
[ "$(json .usage.max_rss_bytes <<<"$out")" -gt 100000 ] || fail 'no resident set'
expect_eq "$(json .usage.stdout_bytes <<<"$out")" 6
expect_ok codexos inspect
expect_has "$out" told
expect_match "$err" 'told|'"$(field told .id)" 'which task it is'
expect_ok codexos inspect told
expect_match "$out" 'full'
step 'no task in this workspace'
work empty
expect_error 3 '' codexos inspect
