#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# With --allow a task reaches what was named, by name and without proxy variables, and nothing else; each
# connection and each refusal is an event.
# needs: curl jq
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
# shellcheck source=tests/network.bash
. "$TESTS/network.bash"
work

step 'a name that is allowed is reached, over HTTP'
run_net one --allow "good.test:$http,private" -- curl -sS --max-time 10 "http://good.test:$http/hello"
expect_eq "$code $out" "0 hello from good.test:$http" "$err"
event=$(net_events one net.connection)
expect_eq "$(jq -r .target <<<"$event")" good.test
expect_eq "$(jq -r .port <<<"$event")" "$http"
expect_eq "$(jq -r .address <<<"$event")" 127.0.0.1
expect_eq "$(jq -r .rule <<<"$event")" "good.test:$http,private"
[ "$(jq -r .bytes_in <<<"$event")" -gt 50 ] || fail "bytes: $event"
[ "$(jq -r .bytes_out <<<"$event")" -gt 50 ] || fail "bytes: $event"
[ "$(jq -r .duration_us <<<"$event")" -gt 0 ] || fail "duration: $event"
expect_eq "$(field one .network)" 'by name'
expect_eq "$(field one .net.connections)" 1
expect_eq "$(field one '.net.allow[0]')" "good.test:$http,private"
[ "$(field one .net.bytes_in)" -gt 50 ] || fail 'bytes of the task'

step 'its events stand between start and end'
expect_eq "$(codexos --json events one | jq -r .type | paste -sd' ')" 'task.created task.started net.connection task.ended'

step 'and over HTTPS'
run_net two --allow "good.test:$https,private" --show "$NET/ca.pem" -- \
  curl -sS --max-time 10 --cacert "$NET/ca.pem" "https://good.test:$https/hello"
expect_eq "$code $out" "0 hello from good.test:$https" "$err"

step 'a name that is not allowed is not even resolved, and the event says what would allow it'
run_net three --allow "good.test:$http,private" -- curl -sS --max-time 10 "http://other.test:$http/hello"
expect_ne "$code" 0
expect_eq "$(denied three)" 'dns other.test 0'
expect_eq "$(net_events three denied .hint)" '"--allow other.test"'
if grep -q other.test "$NET/dns.log"; then fail 'it was asked for outside'; fi

step 'an allowed name on another port is refused'
run_net four --allow good.test -- curl -sS --max-time 10 "http://good.test:$http/hello"
expect_ne "$code" 0
expect_eq "$(denied four)" "network good.test $http"
expect_eq "$(net_events four denied .hint)" "\"--allow good.test:$http\""

step 'a name that leads to this machine needs a rule that says private'
run_net five --allow "good.test:$http" -- curl -sS --max-time 10 "http://good.test:$http/hello"
expect_ne "$code" 0
expect_has "$(net_events five denied .detail)" 'leads to 127.0.0.1 (loopback)'
expect_eq "$(net_events five denied .hint)" "\"--allow good.test:$http,private\""

step 'a server that speaks first'
run_net six --allow "echo.test:$echo,private" -- python3 -c "
import socket
s = socket.create_connection(('echo.test', $echo), 10)
assert s.recv(100) == b'220 echo\n'
s.sendall(b'ping')
assert s.recv(100) == b'ping'
s.shutdown(socket.SHUT_WR)
assert s.recv(100) == b''
"
expect_eq "$code" 0 "$err"

step 'much data arrives whole'
run_net seven --allow "good.test:$http,private" -- sh -c "curl -sS --max-time 30 http://good.test:$http/big | sha256sum"
expect_eq "$code $out" "0 $(head -c $((8 << 20)) /dev/zero | tr '\0' x | sha256sum)" "$err"
[ "$(field seven .net.bytes_in)" -gt $((8 << 20)) ] || fail "bytes: $(field seven .net.bytes_in)"

step 'the servers of the task on its own loopback are its own, on every port'
run_net eight --allow "good.test:$http,private" -- python3 -c "
import socket
for family, host, bind in ((socket.AF_INET, '127.0.0.1', '127.0.0.1'), (socket.AF_INET, '127.0.0.1', '0.0.0.0'),
                           (socket.AF_INET6, '::1', '::1'), (socket.AF_INET6, '::1', '::'), (socket.AF_INET, '127.5.5.5', '0.0.0.0')):
    for port in (0, 80, 443, 3000):
        l = socket.socket(family)
        l.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        l.bind((bind, port)); l.listen()
        c = socket.create_connection((host, l.getsockname()[1]), 5)
        s, _ = l.accept()
        c.sendall(b'x'); assert s.recv(1) == b'x'
        for x in (c, s, l): x.close()
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(('127.0.0.1', 0)); u.settimeout(5)
c = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); c.sendto(b'y', u.getsockname()); assert u.recv(1) == b'y'
"
expect_eq "$code" 0 "$err"
expect_eq "$(codexos --json events eight | jq -r .type | paste -sd' ')" 'task.created task.started task.ended'

step 'lookups with AI_ADDRCONFIG work, IPv6 is answered empty'
run_net nine --allow "good.test:$http,private" -- python3 -c "
import socket
found = socket.getaddrinfo('good.test', $http, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
assert [f[0] for f in found] == [socket.AF_INET], found
assert found[0][4][0].startswith('198.18.'), found
"
expect_eq "$code" 0 "$err"

step 'UDP that is not DNS is refused at once, so that QUIC falls back'
run_net ten --allow "good.test:$http,private" -- python3 -c "
import socket, time
for family, to in ((socket.AF_INET, '198.18.0.2'), (socket.AF_INET, '93.184.216.34'), (socket.AF_INET6, '2606:2800::1')):
    s = socket.socket(family, socket.SOCK_DGRAM); s.settimeout(5); s.connect((to, 443))
    began = time.monotonic()
    try:
        s.send(b'x'); s.recv(1)
        raise SystemExit('an answer?')
    except ConnectionRefusedError:
        assert time.monotonic() - began < 2
"
expect_eq "$code" 0 "$err"

step 'the limit of bytes ends it'
run_net limited --allow "good.test:$http,private" --net-bytes 1MiB -- curl -sS --max-time 30 -o /dev/null "http://good.test:$http/big"
expect_ne "$code" 0
expect_has "$(net_events limited denied .detail)" 'limit of 1048576 bytes'
[ "$(field limited .net.bytes_in)" -lt $((4 << 20)) ] || fail "it got $(field limited .net.bytes_in) bytes"

step 'a mistaken rule is refused before anything runs'
expect_error 125 'network rule' codexos run --allow 'https://good.test/' -- true
expect_has "$err" 'hint: leave out all but the host: good.test'
expect_error 125 'cannot be given with --net none' codexos run --net none --allow good.test -- true
expect_error 125 'no policy admits' codexos run --net host -- true

step 'without --allow there is only the own loopback'
run_net none -- curl -sS --max-time 5 "http://good.test:$http/hello"
expect_ne "$code" 0
expect_eq "$(field none .network)" none
expect_eq "$(field none .net)" null
if codexos run -- python3 -c "import socket; socket.create_connection(('93.184.216.34', 80), 3)"; then fail 'it reached an address'; fi

step '--net allow without a rule allows nothing'
run_net empty --net allow -- curl -sS --max-time 5 "http://good.test:$http/hello"
expect_ne "$code" 0
expect_eq "$(denied empty)" 'dns good.test 0'

step 'a plan names what is allowed'
expect_ok codexos --json run --plan-only --allow "good.test:$http,private" --allow @npm -- true
expect_eq "$(jq -r '.network + " " + (.allow | join(" "))' <<<"$out")" "by name good.test:$http,private @npm"
