#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# bash -i on a terminal: job control, line editing, interrupt, window size; exit code at the end.
# shellcheck source=tests/journey/home.sh
. "$(dirname "${BASH_SOURCE[0]}")/../home.sh"

home_gitconfig
home_project
expect_code 7 pty --rows 30 --cols 100 --expect 'READY' \
  --send 'tty; stty size\n' --expect '/dev/' --expect '30 100' \
  --send 'sleep 100 &\n' --expect '[1]' --send 'jobs\n' --expect 'Running' --expect 'READY' \
  --send 'fg\n' --expect 'fg' --expect 'sleep 100' --sleep 0.3 --send '\x03' --expect 'READY' \
  --resize 40x90 --send 'stty size\n' --expect '40 90' \
  --send 'sleep 200\n' --expect 'sleep 200' --sleep 0.3 --send '\x1a' --expect 'Stopped' --expect 'READY' \
  --send 'fg %1\n' --expect 'fg %1' --expect 'sleep 200' --sleep 0.3 --send '\x03' --expect 'READY' \
  --send 'exit 7\n' -- \
  codexos run -e 'PS1=READY ' -- bash --norc --noprofile -i
expect_hasnt "$out" 'no job control'
expect_hasnt "$out" 'cannot set terminal process group'
