#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A disk that is really full, the workspace's or the state folder's, leaves an apply undone as a whole, says
# so, and lets it be done once there is room.
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

is_root || skip 'only root can mount a small disk; apply_killed.sh fails every write of a user'
mkdir -p "$HOME/small"
mount -t tmpfs -o size=4m,mode=755 small "$HOME/small" 2>/dev/null || skip 'no tmpfs can be mounted here'
unmount() { clean_up; umount "$HOME/small" 2>/dev/null || umount -l "$HOME/small"; }
trap unmount EXIT
tree() { find . -mindepth 1 ! -name ballast -printf '%y %m %p %l\n' | sort; find . -type f ! -name ballast -print0 | sort -z | xargs -0 sha256sum; }
change='for n in 1 2 3 4 5 6 7 8; do head -c 100000 /dev/urandom >f$n; done; rm -r gone; ln -s f1 l; echo t >t'

step 'the workspace is full'
cd "$HOME/small"; for n in 1 2 3 4; do echo "$n" >f$n; done; mkdir gone; echo g >gone/g; sleep 0.1
expect_ok codexos run --name ws -- sh -c "$change"
head -c 3700000 /dev/zero >ballast
old=$(tree)
run_captured codexos apply ws
[ "$code" != 0 ] || fail 'it was applied to a full disk'
expect_match "$err" 'error: .*[Nn]o space'
expect_eq "$(tree)" "$old" 'a full workspace after the apply'
expect_eq "$(find . -name '.codexos*')" '' 'what is left of it'
expect_eq "$(field ws .changes_state)" waiting
rm ballast
expect_ok codexos apply ws
expect_eq "$(wc -c <f8) $(cat t)" '100000 t'
step 'undo on a full disk'
rm -f f5 f6; head -c 2000000 /dev/zero >fill; head -c 3700000 /dev/zero >ballast 2>/dev/null || true
now=$(tree)
run_captured codexos undo ws --on-conflict theirs
[ "$code" = 0 ] || expect_eq "$(tree)" "$now" 'a full workspace after the undo'
rm ballast fill
[ "$code" = 0 ] || expect_ok codexos undo ws --on-conflict theirs
expect_eq "$(tree)" "$old"

step 'the state folder is full'
codexos daemon stop >/dev/null; cd /; umount "$HOME/small"
mount -t tmpfs -o size=24m,mode=700 small "$HOME/small"
export CODEXOS_HOME=$HOME/small
work big; for n in 1 2 3 4 5 6 7 8; do head -c 500000 /dev/urandom >f$n; done; mkdir gone; echo g >gone/g; sleep 0.1
expect_ok codexos run --name st -- sh -c "$change"
head -c 24000000 /dev/zero >"$CODEXOS_HOME/ballast" 2>/dev/null || true
old=$(tree)
run_captured codexos apply st
[ "$code" != 0 ] || fail 'it was applied without a place for what it replaced'
expect_eq "$(tree)" "$old" 'the workspace after an apply without room for the journal'
expect_eq "$(find . -name '.codexos*')" ''
rm "$CODEXOS_HOME/ballast"
expect_ok codexos apply st
expect_eq "$(wc -c <f8)" 100000
expect_ok codexos undo st
expect_eq "$(tree)" "$old"
