#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Parked helpers hold an overlay over the folder that was used last. Whatever happens to the folder before the
# next task comes, that task sees it as it is then, and what it writes is its own.
# timeout: 120
# shellcheck source=../lib.sh
. "${TESTS:-$(dirname "$0")/..}/lib.sh"

spare=$CODEXOS_HOME/tenants/default/spare
# A mounted overlay has made its own folder in the layer's work folder.
ahead() { compgen -G "$spare/*/layers/0/work/work" | wc -l; }
some_ahead() { [ "$(ahead)" -ge 1 ]; }
newer=$(uname -r | awk -F. '{ print ($1 * 1000 + $2 >= 6013) }')
# wait_ahead: until a helper holds one, where the kernel can
wait_ahead() { if [ "$newer" = 1 ]; then wait_until 10 some_ahead; else sleep 0.5; fi; }
run() { expect_ok codexos run -q -- sh -c "$1"; }

work one
echo first >file
run 'true'
wait_ahead

step 'what the user does to the folder meanwhile is seen'
echo second >file
mkdir sub && echo deep >sub/deep
run 'test "$(cat file)" = second && test "$(cat sub/deep)" = deep && echo task >file && echo new >sub/new'
expect_eq "$(codexos diff --name-status)" $'M\tfile\nA\tsub/new'
expect_eq "$(cat file)" second
expect_ok codexos apply
expect_eq "$(cat file sub/new)" $'task\nnew'

step 'a folder whose mode changed is shown with the new one'
run 'true' && wait_ahead
chmod 700 .
run 'test "$(stat -c %a .)" = 700'
chmod 755 .

step 'another folder at the same path is that folder'
run 'true' && wait_ahead
cd .. && mv one old && mkdir one && echo other >one/file && cd one
run 'test "$(cat file)" = other && test ! -e sub && echo mine >file'
expect_eq "$(codexos diff --name-status)" $'M\tfile'
expect_eq "$(cat ../old/file)" task

step 'two tasks at once have a layer each'
run 'true' && wait_ahead
a=$(codexos run -d -- sh -c 'echo a >mark; sleep 1; cat mark')
b=$(codexos run -d -- sh -c 'echo b >mark; sleep 1; cat mark')
expect_ok codexos wait "$a"
expect_ok codexos wait "$b"
expect_eq "$(codexos logs "$a")$(codexos logs "$b")" ab

step 'a task of another folder, or of none, finds nothing of it'
run 'true' && wait_ahead
work two
run 'test ! -e file && test ! -e ../one/file && echo two >file'
expect_eq "$(codexos diff --name-status)" $'A\tfile'
cd ../one
run 'test "$(cat file)" = other'

step 'a job that comes while the overlay is being mounted is not overlooked'
for _ in $(seq 1 20); do
  run 'true'
  sleep 0.02 # when parked helpers are told
  run 'true'
done

step 'a helper that dies leaves the start to another'
run 'true' && wait_ahead
for pid in $(pgrep -f 'codexos-exec --zygote'); do
  # Only those of this test's daemon: their working directory or root is of its state.
  grep -qzx "CODEXOS_HOME=$CODEXOS_HOME" "/proc/$pid/environ" 2>/dev/null && kill -9 "$pid" 2>/dev/null
done
run 'test "$(cat file)" = other'

step 'kill -9 of the daemon: the task that began on one goes on, and its changes are its own'
run 'true' && wait_ahead
id=$(codexos run -d -- sh -c 'echo kept >after; sleep 1; exit 3')
pid=$(daemon_pid)
kill -9 "$pid"; wait_until 5 dead "$pid"
expect_code 3 codexos wait "$id"
expect_eq "$(codexos diff --name-status "$id")" $'A\tafter'
expect_no_file after

step 'a daemon that ends leaves nothing mounted and no folder behind'
run 'true' && wait_ahead
expect_ok codexos daemon stop
expect_ok codexos run -q -- true
wait_until 10 sh -c "! ls -d '$spare-old' 2>/dev/null"
