#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# --disk ends a task with cause disk, be it filled in the workspace, in scratch space, in the log or in a file
# without a name; what it changed is kept, and a neighbour goes on.
# needs: python3
# timeout: 300
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

work
head -c 40000000 /dev/zero >there-before
codexos run -d --name neighbour -- sleep 300 >/dev/null
fills() { # fills NAME COMMAND...
  local name=$1
  shift
  step "$name"
  expect_code 125 codexos run --name "$name" --disk 20MiB --timeout 200s -- "$@"
  expect_has "$err" 'no space left: it used its disk limit of 20MiB (--disk)'
  expect_eq "$(field "$name" '.cause + " " + .state')" 'disk killed'
  [ "$(field "$name" .usage.disk_bytes)" -ge 20971520 ] || fail "used $(field "$name" .usage.disk_bytes)"
  state_is neighbour running || fail 'the neighbour does not run any more'
}
fills workspace sh -c 'echo x >kept; head -c 300000000 /dev/zero >big; sleep 600'
expect_has "$(codexos diff "$(field workspace .id)" --name-status)" kept
expect_no_file big
fills many_files sh -c 'mkdir d; i=0; while :; do head -c 100000 /dev/zero >d/$i; i=$((i+1)); done'
fills scratch sh -c 'head -c 300000000 /dev/zero >/tmp/big; sleep 600'
fills log sh -c 'head -c 60000000 /dev/zero; sleep 600'
fills nameless sh -c 'exec 3>gone; rm gone; head -c 300000000 /dev/zero >&3; sleep 600'
expect_has "$(codexos why workspace)" '--disk 40MiB'

step 'less is no matter, and what was there before does not count'
expect_ok codexos run --name less --disk 20MiB -- sh -c 'head -c 5000000 /dev/zero >small; cat there-before >/dev/null; rm there-before; sleep 1'
state_is neighbour running || fail 'the neighbour does not run any more'

step 'changes that are held back in a copy'
codexos daemon stop >/dev/null
export CODEXOS_FORCE_COPY=1
mkdir -p "$HOME/small" && cd "$HOME/small"
fills copy sh -c 'head -c 300000000 /dev/zero >big; sleep 600'
