#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Each of the descriptors 0, 1, 2 that is a terminal is the task terminal, each other stays a stream.
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

work
expect_ok pty -- codexos run -- sh -c 'test -t 0 && test -t 1 && test -t 2 && tty'
expect_match "$out" '/dev/pts/[0-9]+'
step 'stdout to a file keeps the terminal for stdin and stderr'
expect_ok pty --stdout log -- codexos run -- sh -c 'test -t 0 && test -t 2 && ! test -t 1 && echo file && echo term >&2'
expect_eq "$(cat log)" file
expect_has "$out" term
step 'stdin from elsewhere'
expect_ok pty --eof-stdin -- codexos run -- sh -c 'test ! -t 0 && test -t 1 && cat && echo end'
expect_has "$out" end
step '-t forces one'
expect_eq "$(codexos run -t -- sh -c 'test -t 1 && stty size' </dev/null | tr -d '\r')" '24 80'
step 'modes of the caller terminal come back'
expect_ok pty -- sh -c 'before=$(stty -g); codexos run -- stty raw; [ "$before" = "$(stty -g)" ] && echo same'
expect_has "$out" same
expect_code 137 pty -- sh -c 'before=$(stty -g); codexos run -- sh -c "kill -KILL \$\$"; c=$?; [ "$before" = "$(stty -g)" ] || exit 1; exit $c'
step 'keys become signals'
expect_code 130 pty --expect READY --send '\x03' -- codexos run -- sh -c 'echo READY; exec sleep 60'
expect_code 131 pty --expect READY --send '\x1c' -- codexos run -- sh -c 'echo READY; ulimit -c 0; exec sleep 60'
expect_ok pty --expect READY --send '\x04' -- codexos run -- sh -c 'echo READY; exec cat'
step 'resize reaches the program'
expect_ok pty --expect READY --resize 50x132 --expect '50 132' -- codexos run -- bash -c 'trap "stty size; exit 0" WINCH; echo READY; while :; do sleep 0.05; done'
step 'TERM and colours'
expect_ok pty -- codexos run -- sh -c 'echo term=$TERM'
expect_has "$out" term=xterm
