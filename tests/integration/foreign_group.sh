#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A file of the workspace that belongs to another group cannot be changed while changes are held back (a task
# has one group): the program is told EOVERFLOW, and the user what that means.
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

work
other=''
if is_root; then
  other=12345
else
  for g in $(id -G); do [ "$g" = "$(id -g)" ] || other=$g; done
fi
[ -n "$other" ] || skip 'this user has only one group'
echo mine >mine; echo theirs >theirs; mkdir folder
expect_ok codexos run --name before -- sh -c 'echo more >>theirs'
expect_eq "$(field before '.notes|length')" 0
touch fresh # what the top level holds is looked at again when it changes
chgrp "$other" theirs folder
expect_code 3 codexos run --name fails -- sh -c 'cat theirs; echo more >>mine; echo more >>theirs || exit 3'
expect_eq "$out" theirs
expect_has "$err" 'another user or group'
expect_has "$err" 'theirs'
expect_has "$err" '--mode direct'
expect_match "$(field fails '.notes|join(" ")')" 'another user or group.*folder/.*theirs|another user or group.*theirs.*folder/'
expect_ok codexos --json run --plan-only -- true
expect_has "$(jq -r '.notes|join(" ")' <<<"$out")" 'another user or group'
step 'a program that does not mind hears nothing'
expect_ok codexos -q run -- true
expect_eq "$err" ''
step 'what the message says helps'
is_root || expect_ok codexos run --mode direct -- sh -c 'echo more >>theirs'
chgrp "$(id -g)" theirs folder
touch fresh2
expect_ok codexos run --name after -- sh -c 'echo more >>theirs'
