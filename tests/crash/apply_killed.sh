#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The daemon is killed at every call of an apply that changes something on a disk, and each of them fails
# with a full disk: the next daemon leaves the folder wholly as it was, or wholly as the task left it, and it
# can go on. STEP=1 takes every single call; else the first ones and then some.
# timeout: 900
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
# shellcheck source=tests/crash/faults.bash
. "$TESTS/crash/faults.bash"

tree() { find . -mindepth 1 ! -path './.codexos*' -printf '%y %m %p %l\n' | sort; find . -type f ! -path './.codexos*' -print0 | sort -z | xargs -0 sha256sum; }
# A folder, a task that changed it, and what it is before and after.
changed_folder() {
  printf 'one\n' >one; printf 'two\n' >two; mkdir -p folder/in; printf 'i\n' >folder/in/i; printf 'x\n' >kind; ln -s one link
  mkdir -m 555 closed; printf 'c\n' >one.lnk; ln one.lnk two.lnk
  sleep 0.1
  up
  expect_ok codexos run --name t -- sh -c 'echo new >one; rm two; rm -r folder; mkdir -p made/deep; echo d >made/deep/d; rm kind; mkdir kind; echo t >kind/t; ln -sf made link; chmod 755 one; ln one "hard"; chmod 700 closed; echo c >closed/c; chmod 500 closed; echo more >>one.lnk; dd if=/dev/zero of=big bs=1M count=2 2>/dev/null'
  old=$(tree)
  expect_ok codexos apply t
  new=$(tree)
  expect_ok codexos undo t
  expect_eq "$(tree)" "$old"
  expect_ne "$new" "$old"
}
# whole WHAT: the folder is one of the two, and the task says which.
whole() {
  rm -f "$TMPDIR/fault"
  # What a full disk left unwritten, the next daemon writes.
  [ "$how" = kill ] || { codexos daemon stop >/dev/null; wait_until 15 dead "$pid"; }
  up
  local now state
  now=$(tree)
  state=$(field t .changes_state)
  if [ "$now" = "$old" ]; then
    # Retention may have taken the layers of what was applied once: then it was undone.
    expect_match "$state" '^(waiting|undone)$' "the state of the task with the old folder, $1"
  elif [ "$now" = "$new" ]; then
    expect_eq "$state" applied "the state of the task with the new folder, $1"
    expect_ok codexos undo t
    expect_eq "$(tree)" "$old" "the folder after an undo, $1"
  else
    diff <(printf '%s\n' "$old") <(printf '%s\n' "$now") >&2 || true
    fail "a folder that is neither old nor new, $1"
  fi
  expect_eq "$(find . -name '.codexos*')" '' "staging folders that are left, $1"
}
how='' old='' new=''
break_each() { # break_each HOW CALL
  how=$1
  local call=$2 n=1 hits=0 hit
  changed_folder
  while :; do
    up
    rm -f "$TMPDIR/fault.hit"
    printf '%s %s %s %s\n' "$call" "$how" "$n" "$RANDOM$RANDOM" >"$TMPDIR/fault"
    run_captured timeout 60 codexos apply t
    [ "$code" != 124 ] || fail "at $call $n: the apply hangs"
    # What follows the answer (journal, staging folders) may be hit a moment later.
    [ -e "$TMPDIR/fault.hit" ] || for _ in 1 2 3 4; do [ -e "$TMPDIR/fault.hit" ] || sleep 0.05; done
    hit=0; [ ! -e "$TMPDIR/fault.hit" ] || hit=1
    [ "$how" != kill ] || [ "$hit" = 0 ] || wait_until 10 dead "$pid"
    whole "at $call $n"
    [ "$hit" = 1 ] || break
    hits=$((hits + 1))
    if [ -n "${STEP:-}" ]; then n=$((n + STEP)); elif [ "$n" -lt 4 ]; then n=$((n + 1)); else n=$((n + 1 + n / 6)); fi
    [ "$n" -lt 1000 ] || break
  done
  step "$hits of $n places"
  [ "$hits" -ge 1 ] || fail "there was no $call"
}

for how in kill full; do
  for call in any renameat2 write pwrite64; do beside "$how.$call" break_each $how $call; done
done
all_parts
