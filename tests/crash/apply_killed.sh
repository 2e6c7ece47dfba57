#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The daemon is killed at every changing system call of an apply, and each of them fails with a full disk:
# the next daemon leaves the folder wholly as it was, or wholly as the task left it, and it can go on.
# STEP=1 takes every single call; else each call is hit at its first places and then at some.
# timeout: 900
# needs: strace
# alone
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

tree() { find . -mindepth 1 ! -path './.codexos*' -printf '%y %m %p %l\n' | sort; find . -type f ! -path './.codexos*' -print0 | sort -z | xargs -0 sha256sum; }
work
printf 'one\n' >one; printf 'two\n' >two; mkdir -p folder/in; printf 'i\n' >folder/in/i; printf 'x\n' >kind; ln -s one link
sleep 0.1
expect_ok codexos run --name t -- sh -c 'echo new >one; rm two; rm -r folder; mkdir -p made/deep; echo d >made/deep/d; rm kind; mkdir kind; echo t >kind/t; ln -sf made link; chmod 755 one; ln one "hard"'
old=$(tree)
expect_ok codexos apply t
new=$(tree)
expect_ok codexos undo t
expect_eq "$(tree)" "$old"
expect_ne "$new" "$old"

# apply_with INJECT: the apply of t while strace does what INJECT says. `hit`: whether it did.
hit=0
apply_with() {
  local pid tracer
  codexos daemon start >/dev/null 2>&1
  pid=$(daemon_pid)
  strace -f -qq -o "$TMPDIR/trace" -e trace=none -e inject="$1" -p "$pid" 2>"$TMPDIR/strace.err" &
  tracer=$!
  wait_until 10 grep -q "^TracerPid:[[:space:]]*[1-9]" "/proc/$pid/status"
  run_captured codexos apply t
  if alive "$pid"; then
    kill -INT "$tracer" 2>/dev/null || true
  fi
  wait "$tracer" 2>/dev/null || true
  hit=0
  if dead "$pid" || [ "$code" != 0 ]; then hit=1; fi
}
# whole WHAT: the folder is one of the two, and the task says which.
whole() {
  codexos daemon start >/dev/null 2>&1
  local now state
  now=$(tree)
  state=$(field t .changes_state)
  if [ "$now" = "$old" ]; then
    expect_eq "$state" waiting "the state of the task with the old folder, $1"
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
probe() {
  strace -f -qq -o /dev/null -e trace=none -p "$(daemon_pid)" 2>"$TMPDIR/strace.err" &
  local tracer=$!
  sleep 0.3
  kill -INT $tracer 2>/dev/null || return 1
  wait $tracer 2>/dev/null || true
}
codexos daemon start >/dev/null 2>&1
probe || skip "the daemon cannot be traced here: $(head -1 "$TMPDIR/strace.err")"
calls='renameat2 mkdirat unlinkat linkat symlinkat openat openat2 rename syncfs fchmod chmod utimensat copy_file_range write pwrite64 fdatasync ftruncate'
for what in signal=KILL error=ENOSPC; do
  for call in $calls; do
    step "$what $call"
    n=1
    while :; do
      apply_with "$call:$what:when=$n"
      whole "$what at $call $n"
      [ "$hit" = 1 ] || break
      if [ -n "${STEP:-}" ] || [ "$n" -lt 4 ]; then n=$((n + ${STEP:-1})); else n=$((n + n / 2)); fi
      [ "$n" -lt 400 ] || break
    done
  done
done
