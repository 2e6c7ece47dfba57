#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Where the kernel has no nf_tables a task is served on the ports that its rules name, says so, and reaches nothing
# else all the same.
# needs: curl jq python3
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
# shellcheck source=tests/network.bash
. "$TESTS/network.bash"
[ "$(uname -m)" = x86_64 ] || skip 'the fixture knows x86-64 alone'
codexos daemon stop >/dev/null
python3 "$TESTS/integration/fixtures/without_nf_tables.py" codexos daemon start >/dev/null
work

step 'a name that is allowed is reached on its port, and the task says what is less'
run_net one --allow "good.test:$http,private" -- curl -sS --max-time 10 "http://good.test:$http/hello"
expect_eq "$code $out" "0 hello from good.test:$http" "$err"
expect_eq "$(net_events one net.connection .target)" '"good.test"'
expect_has "$(field one '.notes | join(" ")')" 'no nf_tables'

step 'also by helpers that were parked, and after others'
for n in 1 2 3; do
  run_net "again$n" --allow "good.test:$http,private" -- curl -sS --max-time 10 "http://good.test:$http/hello"
  expect_eq "$code $out" "0 hello from good.test:$http" "$err"
  expect_has "$(field "again$n" '.notes | join(" ")')" 'no nf_tables'
done

step 'TLS, whose name is compared'
run_net two --allow "good.test:$https,private" --show "$NET/ca.pem" -- \
  curl -sS --max-time 10 --cacert "$NET/ca.pem" "https://good.test:$https/hello"
expect_eq "$code $out" "0 hello from good.test:$https" "$err"
run_net name --allow "good.test:$https,private" --allow other.test -- \
  curl -sS -k --max-time 10 --connect-to "other.test:443:good.test:$https" https://other.test/
expect_ne "$code" 0
expect_has "$(denied name)" network

step 'nothing else is: other names, ports, addresses, protocols'
run_net three --allow "good.test:$http,private" -- python3 -c "
import socket
def fails(what, call):
    try: call()
    except OSError: return
    raise SystemExit(what + ' was reached')
fails('a name', lambda: socket.getaddrinfo('other.test', 80))
fails('a port', lambda: socket.create_connection(('good.test', $https), 3))
fails('an address', lambda: socket.create_connection(('1.1.1.1', $http), 3).recv(1) or (_ for _ in ()).throw(OSError()))
fails('IPv6', lambda: socket.create_connection(('2606:4700:4700::1111', $http), 3).recv(1) or (_ for _ in ()).throw(OSError()))
fails('the relay', lambda: socket.create_connection(('127.0.0.1', $http), 3).recv(1) or (_ for _ in ()).throw(OSError()))
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.settimeout(1)
u.connect(('good.test', 443))
def quic(): u.send(b'x'); u.recv(1)
fails('UDP', quic)
"
expect_eq "$code" 0 "$out $err"
expect_has "$(denied three)" 'dns other.test 0'
expect_has "$(denied three)" "network 1.1.1.1 $http"

step 'the own servers of the task have all other ports'
run_net four --allow "good.test:$http,private" -- python3 -c "
import socket
for port in (80, 443, 3000):
    l = socket.socket(); l.bind(('127.0.0.1', port)); l.listen()
    c = socket.create_connection(('127.0.0.1', port)); a, _ = l.accept()
    a.sendall(b'own'); assert c.recv(3) == b'own'
"
expect_eq "$code" 0 "$err"

step 'rules that name too many ports are refused, and say why'
run_net five --allow 'good.test:*,private' -- true
expect_eq "$code" 125
expect_has "$err" 'no nf_tables'

step 'rules can be taken away, and given on the ports that are served'
id=$(codexos run -d --allow "good.test:$http,private" -- sleep 60)
wait_until 10 state_is "$id" running
expect_ok codexos net deny "$id" "good.test:$http,private"
expect_ok codexos net allow "$id" "good.test:$http,private"
expect_code 7 codexos net allow "$id" good.test:22
expect_has "$err" 'port 22 is not served'
expect_hasnt "$(codexos net ls "$id")" good.test:22
expect_ok codexos kill "$id"

step 'doctor says it'
expect_has "$(codexos doctor --json | jq -c '.checks[] | select(.name == "nf-tables")')" 'no nf_tables'
