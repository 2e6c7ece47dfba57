#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What a task may reach is changed while it runs: at once, all or nothing, and connections that are not
# admitted any more are cut.
# needs: curl jq
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
# shellcheck source=tests/network.bash
. "$TESTS/network.bash"
work

codexos run -d --name t --net allow -- sleep 100 >/dev/null
ask() { codexos exec t -- curl -sS --max-time 10 "http://$1:$http/hello" 2>/dev/null; }

step 'nothing, then one host, then nothing again'
if ask good.test; then fail 'it was reached'; fi
expect_ok codexos net allow t "good.test:$http,private"
expect_eq "$(ask good.test)" "hello from good.test:$http"
if ask other.test; then fail 'it was reached'; fi
expect_ok codexos net deny t "good.test:$http,private"
if ask good.test; then fail 'it was reached after deny'; fi
expect_eq "$(net_events t net.changed '.allow | length' | paste -sd' ')" '1 0'

step 'a list that holds a mistake changes nothing'
expect_error 2 'no port' codexos net allow t "a.test:$http,private" 'b.test:x'
if ask a.test; then fail 'half of it was taken'; fi
expect_error 3 'no rule in force' codexos net deny t a.test

step 'a connection that is not admitted any more is cut'
expect_ok codexos net allow t "echo.test:$echo,private"
codexos exec t -- python3 -c "
import socket
s = socket.create_connection(('echo.test', $echo), 10)
assert s.recv(100) == b'220 echo\n'
print('open', flush=True)
try: s.recv(100)
except ConnectionResetError: print('cut', flush=True)
" >"$SCRATCH/exec" 2>&1 &
cut=$!
wait_until 10 grep -q open "$SCRATCH/exec"
expect_ok codexos net deny t "echo.test:$echo,private"
wait "$cut"
expect_has "$(cat "$SCRATCH/exec")" cut

step 'ls tells rules, connections and refusals'
expect_ok codexos net allow t "good.test:$http,private"
ask good.test >/dev/null
expect_ok codexos net ls t
expect_match "$out" "allowed +good.test:$http,private"
expect_match "$out" "reached +good.test:$http +"
expect_match "$out" 'refused +other.test +.*--allow other.test'
expect_ok codexos net ls -q t
expect_eq "$out" "good.test:$http,private"

step 'a task without a network cannot be given one'
codexos run -d --name bare -- sleep 100 >/dev/null
expect_error 5 'no network' codexos net allow bare good.test

step 'another daemon takes the network over: the task reaches what it may, by the rules that were changed'
kill -KILL "$(daemon_pid)"
codexos daemon start >/dev/null
wait_until 10 sh -c "codexos --json events t | grep -q task.adopted"
expect_eq "$(ask good.test)" "hello from good.test:$http"
if ask other.test; then fail 'it was reached'; fi
expect_ok codexos net allow t "other.test:$http,private"
expect_eq "$(ask other.test)" "hello from other.test:$http"
